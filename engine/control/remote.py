"""The commands' way to a running engine: its API, where it has one, with the token that only this user can read."""

import contextlib
from pathlib import Path
from typing import Any

import httpx
import msgspec

from engine.control.api.hosting import ADDRESS, Address
from engine.control.api.tokens import TokenStore, read_private
from engine.domain.errors import ConfigError
from engine.runtime.control_table import FOLDER, ControlTable, token_file
from engine.runtime.operator_commands import (
    Accept,
    Answer,
    Cancel,
    Command,
    Kill,
    Place,
    Reconcile,
    Resolve,
    Resume,
    SetParameters,
    StartStrategy,
    Status,
    StopStrategy,
)
from engine.runtime.settings import Settings

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 150.0
ANSWERED = frozenset({200, 409, 422, 428})
"""Statuses that carry a command's answer."""


class Unreachable(Exception):
    """There is no API that answers; whoever asked may have another way."""


class Remote:
    """One engine's API."""

    def __init__(self, address: Address, token: str) -> None:
        self.url = address.url
        verify: Any = address.cert or True
        self._client = httpx.AsyncClient(
            base_url=address.url,
            headers={"authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            verify=verify,
            trust_env=False,
        )

    async def __aenter__(self) -> "Remote":
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._client.aclose()

    async def get(self, path: str, **query: Any) -> Any:
        """The answer of a GET, moments as integers again.

        Raises:
            Unreachable: nobody answers, or it does not let us in. ConfigError: it says what is wrong with the question.
        """
        answer = await self._ask("GET", path, params={name: value for name, value in query.items() if value != ""})
        read = _integers(msgspec.json.decode(answer.content))
        if answer.status_code != 200:
            raise ConfigError(str(read.get("error", f"status {answer.status_code}")))
        return read

    async def do(self, command: Command) -> Answer:
        """Have a command carried out.

        Raises:
            Unreachable: as ``get``; then it was not carried out.
        """
        method, path, body = _request(command)
        answer = await self._ask(method, path, json=body)
        read = _integers(msgspec.json.decode(answer.content))
        if "answer" not in read:
            return Answer(text=str(read.get("error", f"status {answer.status_code}")), exit_code=2)
        return Answer(text=read["answer"], exit_code=read["exit_code"], details=read["details"])

    async def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = await self._client.request(method, path, **more)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as why:
            raise Unreachable(str(why)) from why
        except httpx.HTTPError as why:
            raise ConfigError(
                f"the API at {self.url} broke off: {why}; look at status before you say it again"
            ) from why
        if answer.status_code in (401, 403, 429, 503):
            raise Unreachable(f"status {answer.status_code}")
        return answer


def remote_of(settings: Settings) -> Remote | None:
    """The API of the engine that runs on a config; None: it has none, or we may not use it."""
    place = settings.data_dir / FOLDER / ADDRESS
    tokens = TokenStore(token_file(settings.safety.control or ControlTable(), settings.data_dir))
    with contextlib.suppress(OSError, msgspec.DecodeError, ConfigError):
        address = msgspec.json.decode(read_private(place, settings.data_dir), type=Address)
        return Remote(address, read_private(Path(tokens.first), settings.data_dir).decode().strip())
    return None


def _request(command: Command) -> tuple[str, str, dict[str, Any] | None]:
    """Method, path and body of a command."""
    body: dict[str, Any] = msgspec.to_builtins(command)
    for name in ("type", "who"):
        body.pop(name)
    match command:
        case Status():
            return "GET", "/api/status/operator", None
        case Kill():
            kind, _, name = command.scope.partition(":")
            # Who types an account's id at this terminal has typed it.
            confirm = name if command.level == "flatten" and kind == "account" else ""
            return "POST", "/api/kill", {**body, "confirm": confirm}
        case Resume():
            return "POST", "/api/resume", body
        case Reconcile():
            return "POST", "/api/reconcile", body
        case Accept():
            body.pop("seconds")
            return "POST", "/api/accept", body
        case Resolve():
            return "POST", "/api/resolve", body
        case Cancel():
            return "POST", f"/api/orders/{body.pop('client_id')}/cancel", body
        case StopStrategy():
            return "POST", f"/api/strategies/{body.pop('strategy')}/stop", body
        case StartStrategy():
            return "POST", f"/api/strategies/{body.pop('strategy')}/start", body
        case SetParameters():
            return "POST", f"/api/strategies/{body.pop('strategy')}/parameters", body
        case Place():
            body["type"] = body.pop("kind") or None
            return "POST", "/api/orders", body


def _integers(value: Any) -> Any:
    """Moments in ns as integers again, as they are where no JavaScript reads them."""
    if isinstance(value, dict):
        return {
            name: int(inner)
            if isinstance(inner, str) and name.endswith("_ns") and inner.lstrip("-").isdecimal()
            else _integers(inner)
            for name, inner in value.items()
        }
    return [_integers(inner) for inner in value] if isinstance(value, list) else value
