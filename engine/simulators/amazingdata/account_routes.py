"""Routes of login, user and SDK configurations."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request

from engine.simulators.amazingdata import messages
from engine.simulators.amazingdata.configs import LOCAL_PATH, PORT, SdkConfig
from engine.simulators.amazingdata.messages import Failure, Said
from engine.simulators.amazingdata.platform import AmazingData
from engine.simulators.amazingdata.reading import Field, body, integer

Handler = Callable[[Request], Awaitable[Any]]


class AccountRoutes:
    def __init__(self, platform: AmazingData) -> None:
        self._platform = platform

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Method, path and handler of each private route."""
        return [
            ("GET", "/auth/me", self.me),
            ("GET", "/configs/sdk", self.configs),
            ("POST", "/configs/sdk", self.create),
            ("POST", "/configs/sdk/{id}/test", self.test),
        ]

    async def log_in(self, request: Request) -> Said:
        username, password = await body(request, Field("username"), Field("password"))
        return Said(self._platform.log_in(username, password), messages.LOGGED_IN)

    async def me(self, request: Request) -> Any:
        user = request.state.user
        return {
            "id": request.state.number,
            "username": user.username,
            "email": user.email,
            "role": user.role,
            "is_active": user.is_active,
        }

    async def configs(self, request: Request) -> Any:
        rows = self._platform.configs.rows()
        return {"items": rows, "total": len(rows)}

    async def create(self, request: Request) -> Said:
        self._administer(request)
        name, username, password, host, port, local_path, is_default = await body(
            request,
            Field("name"),
            Field("username"),
            Field("password"),
            Field("host"),
            Field("port", "integer", PORT),
            Field("local_path", default=LOCAL_PATH),
            Field("is_default", "flag", default=False),
        )
        config = SdkConfig(
            name=name,
            username=username,
            password=password,
            host=host,
            port=port,
            local_path=local_path,
            is_default=is_default,
            created_ns=self._platform.clock.now_ns,
        )
        row = self._platform.configs.add(config)
        return Said(row, messages.CREATED, self._platform.settings.forms.created)

    async def test(self, request: Request) -> Any:
        self._administer(request)
        return await self._platform.test_sdk(self._platform.configs.find(integer(request, "id")))

    def _administer(self, request: Request) -> None:
        if request.state.user.role != "admin":
            raise Failure(403, messages.FORBIDDEN)
