"""Sessions, the client's start and end, and the tool routes (contracts/ht.md 2, 3)."""

from collections.abc import Awaitable, Callable

from engine.domain.timestamps import SECOND_NS
from engine.simulators.huatai import window
from engine.simulators.huatai.venue import Call, HuataiVenue
from engine.simulators.huatai.window import Turn
from engine.simulators.huatai.wire import NOT_CONNECTED, Reply

CONNECT_FAILED = "连接客户端失败，请检查路径是否正确"
LOGIN_FAILED = "登录失败，请检查账号密码"


class SessionRoutes:
    def __init__(self, venue: HuataiVenue) -> None:
        self._venue = venue

    def handlers(self) -> dict[str, Callable[[Call], Awaitable[Reply]]]:
        return {
            "connect": self.connect,
            "login": self.login,
            "exit": self.exit,
            "session-status": self.session_status,
            "refresh": self.refresh,
            "wait": self.wait,
            "check-pop-dialog": self.check_pop_dialog,
            "close-pop-dialog": self.close_pop_dialog,
        }

    async def connect(self, call: Call) -> Reply:
        """A session over the running client; no password is asked."""
        venue = self._venue
        async with venue.window.turn() as turn:
            await turn.wait(window.CONNECT_S)
            if not venue.window.up or not self._is_client(call.terms):
                return Reply(400, CONNECT_FAILED)
            # The reply echoes the request; that the path was found by the server shows only in the document.
            path = venue.settings.exe_path if venue.wording.as_documented and not call.terms else call.terms
            session = venue.sessions.open(venue.clock.now_ns)
            return Reply(200, "成功连接客户端", {"exe_path": path, "session_id": session})

    async def login(self, call: Call) -> Reply:
        """Start the client and log in; where it runs already, no password is tried."""
        venue = self._venue
        async with venue.window.turn() as turn:
            await turn.wait(window.LOGIN_S)
            if not self._is_client(call.terms.exe_path):
                return Reply(500, f"登录失败: {CONNECT_FAILED}")
            if not venue.window.up:
                if (call.terms.user, call.terms.password) != (venue.settings.account.user, venue.settings.password):
                    return Reply(401, LOGIN_FAILED)
                venue.window.up = True
            session = venue.sessions.open(venue.clock.now_ns)
            title = venue.settings.window_title
            return Reply(200, "登录成功", {"session_id": session, "main_window_title": title})

    async def exit(self, call: Call) -> Reply:
        """The client ends for every session; of those only the caller's goes with it."""
        self._venue.window.end()
        self._venue.sessions.close(call.session)
        return Reply(200, "客户端已退出")

    async def session_status(self, call: Call) -> Reply:
        """About the automatic login's session, whichever was sent; the document says about the one sent."""
        venue = self._venue
        about = call.session if venue.wording.as_documented else venue.sessions.automatic
        return Reply(200, "会话状态查询成功", venue.sessions.status(about))

    async def refresh(self, call: Call) -> Reply:
        venue = self._venue
        if not venue.window.up:
            return Reply(400, NOT_CONNECTED)
        async with venue.window.turn() as turn:
            await turn.wait(window.REFRESH_S)
        return Reply(200, "数据刷新完成")

    async def wait(self, call: Call) -> Reply:
        await Turn(self._venue.window).hang(round(call.terms * SECOND_NS))
        return Reply(200, f"等待完成（{call.terms}秒）")

    async def check_pop_dialog(self, call: Call) -> Reply:
        return Reply(200, "查询成功", {"has_pop_dialog": self._venue.window.popup is not None})

    async def close_pop_dialog(self, call: Call) -> Reply:
        self._venue.window.take_popup()
        return Reply(200, "弹出对话框已关闭")

    def _is_client(self, path: object) -> bool:
        return not path or str(path).lower() == self._venue.settings.exe_path.lower()
