"""Every endpoint of the virtual stock market, typed in and out, inside one call budget (contract 2, 3, 5).

Reads are repeated once where that is safe; trades are sent once. Errors: ``NotSent``, ``Refused``, ``OutcomeUnknown``,
``BadMessage`` as their names say; each method raises those and no others.
"""

from typing import Any, Literal, TypeVar
from urllib.parse import quote as quoted

import msgspec

from engine.clock import Clock
from engine.domain.errors import BadMessage, ConfigError, NotSent, OutcomeUnknown, Refused
from engine.gateways.virtual_market import messages as m
from engine.gateways.virtual_market.session import Session
from engine.net.backoff import Backoff
from engine.net.rate_limit import Budget, Priority
from engine.net.rest import Answer, RestClient, decode, encode

T = TypeVar("T")
PLAIN = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}
THROTTLED = {"error": "Too Many Requests", "message": "Rate limit exceeded."}
"""The limiter's own body, made before any handler: it proves that nothing was done (contract 5)."""
Period = Literal["1d", "7d", "30d"]
KLINES_ALL = -288
"""Paddings from here down give everything there is (contract 4): never sent."""
KLINES_MAX = 9000


class VirtualMarketClient:
    """Calls to one server for one user; ``user`` and ``password`` may be empty where only public data is read."""

    def __init__(
        self, rest: RestClient, budget: Budget, clock: Clock, backoff: Backoff, *, user: str, password: str, token: str
    ) -> None:
        self._rest = rest
        self._budget = budget
        self._clock = clock
        self._backoff = backoff
        self._user = user
        self._password = password
        can_login = bool(user and password)
        self.session = Session(clock, self.login if can_login else None, token)

    # --- accounts ---

    async def login(self, user: str = "", password: str = "") -> m.Login:
        """Log in; nobody else needs this but ``Session``."""
        body = {"user_id": user or self._user, "password": password or self._password}
        return await self._account("/api/auth/login", body, m.Login)

    async def register(self, user: str, password: str) -> m.Done:
        """Begin a registration; the account exists once the chat robot got the code (5 minutes)."""
        return await self._account("/api/auth/register", {"user_id": user, "password": password}, m.Done)

    async def forgot_password(self, user: str) -> m.Done:
        return await self._account("/api/auth/forgot-password", {"user_id": user}, m.Done)

    async def reset_password(self, user: str, reset_code: str, new_password: str) -> m.Done:
        body = {"user_id": user, "reset_code": reset_code, "new_password": new_password}
        return await self._account("/api/auth/reset-password", body, m.Done)

    async def token(self) -> m.Login:
        """The server's echo of the token we hold; it renews nothing."""
        return await self._read("/api/auth/me/token", m.Login, "auth", Priority.READ, auth=True)

    # --- market data ---

    async def stocks(self, priority: Priority = Priority.READ) -> list[m.StockRow]:
        """All prices in one call."""
        return await self._read("/api/v1/stocks", list[m.StockRow], "general", priority)

    async def stock(self, stock_id: str, priority: Priority = Priority.READ) -> m.Stock:
        return await self._read(f"/api/v1/stock/{_segment(stock_id)}", m.Stock, "general", priority)

    async def details(
        self, stock_id: str, priority: Priority = Priority.READ, *, wait_max_ns: int | None = None
    ) -> m.Details:
        """Needs fewer than five calls of any kind in the last minute: never in a loop."""
        path = f"/api/v1/stock/{_segment(stock_id)}/details"
        return await self._read(path, m.Details, "details", priority, wait_max_ns=wait_max_ns)

    async def overview(self) -> list[m.Overview]:
        return await self._read("/api/v1/market/overview", list[m.Overview], "general", Priority.READ)

    async def kline(
        self,
        stock_id: str,
        period: Period = "1d",
        padding: int = 0,
        user_hash: str = "",
        *,
        priority: Priority = Priority.READ,
        wait_max_ns: int | None = None,
    ) -> m.Klines:
        """``1d``: the last ``288 + padding`` five-minute bars, at most 9000."""
        if padding <= KLINES_ALL or padding + 288 > KLINES_MAX:
            raise ConfigError(f"kline: padding {padding} is outside -287 to {KLINES_MAX - 288}")
        params: dict[str, str | int] = {"period": period, "padding": padding}
        if user_hash:
            params["user_hash"] = user_hash
        path = f"/api/kline/{_segment(stock_id)}"
        return await self._read(path, m.Klines, "general", priority, params=params, wait_max_ns=wait_max_ns)

    async def user_hash(self, qq_id: str) -> m.UserHash:
        return await self._read("/api/get_user_hash", m.UserHash, "general", Priority.READ, params={"qq_id": qq_id})

    async def ranking(self, limit: int = 10) -> list[m.Assets]:
        return await self._read("/api/v1/ranking", list[m.Assets], "general", Priority.READ, params={"limit": limit})

    # --- funds and trades ---

    async def portfolio(self, priority: Priority = Priority.READ) -> m.Assets:
        return await self._read("/api/v1/portfolio", m.Assets, "general", priority, auth=True)

    async def buy(self, stock_id: str, quantity: int) -> m.TradeAnswer:
        return await self._trade_typed("buy", {"stock_id": stock_id, "quantity": quantity})

    async def sell(self, stock_id: str, quantity: int) -> m.TradeAnswer:
        return await self._trade_typed("sell", {"stock_id": stock_id, "quantity": quantity})

    async def buy_all_in(self, stock_id: str) -> m.TradeAnswer:
        return await self._trade_typed("buy_all_in", {"stock_identifier": stock_id})

    async def sell_all_stock(self, stock_id: str) -> m.TradeAnswer:
        return await self._trade_typed("sell_all_stock", {"stock_identifier": stock_id})

    async def sell_all_portfolio(self) -> m.TradeAnswer:
        return await self._trade_typed("sell_all_portfolio", None)

    async def trade(self, action: str, body: bytes, *, wait_max_ns: int | None = None) -> Answer:
        """Send one trade, once, with exactly this body; the answer as it came, whatever its status.

        Raises:
            NotSent: no byte of the trade left: no place in the budget, no token, no connection.
            OutcomeUnknown: anything after that.
        """
        try:
            headers = await self.session.headers()
        except (Refused, OutcomeUnknown, BadMessage) as error:
            # Whatever became of the login, the trade itself never left.
            raise NotSent(f"not logged in: {error.message}", status=error.status) from error
        ticket = await self._budget.acquire("trade", Priority.ORDER, wait_max_ns=wait_max_ns)
        counted = True
        try:
            answer = await self._rest.order("POST", f"/api/v1/trade/{action}", headers, body)
            counted = answer.status != 429
        except NotSent:
            counted = False
            raise
        finally:
            self._budget.release(ticket, counted=counted)
        if answer.status == 401:
            self.session.refused(headers)
        if answer.status != 429:
            self._budget.window.answered()
        return answer

    def throttled(self, answer: Answer) -> int:
        """A trade got 429: tell the budget; how long trades now wait."""
        return self._budget.refused("trade", answer.retry_after_ns(self._clock.now_ns))

    # --- one call ---

    async def _trade_typed(self, action: str, body: dict[str, Any] | None) -> m.TradeAnswer:
        answer = await self.trade(action, encode(body) if body is not None else b"")
        if answer.status in (200, 400):
            try:
                return decode(answer, m.TradeAnswer)
            except BadMessage as error:
                raise OutcomeUnknown(f"{answer.request}: {answer.status} that can not be read: {error}") from error
        if answer.status == 429 and is_throttle(answer):
            self.throttled(answer)
        raise failure_from_wire(answer)

    async def _account(self, path: str, body: dict[str, str], kind: type[T]) -> T:
        ticket = await self._budget.acquire("auth", Priority.LOGIN)
        counted = True
        try:
            answer = await self._rest.order("POST", path, PLAIN, encode(body))
            counted = answer.status != 429
        except NotSent:
            counted = False
            raise
        finally:
            self._budget.release(ticket, counted=counted)
        if answer.status == 429:
            self._budget.refused("auth", answer.retry_after_ns(self._clock.now_ns))
        if answer.status != 200:
            raise failure_from_wire(answer)
        return decode(answer, kind)

    async def _read(
        self,
        path: str,
        kind: type[T],
        call_class: str,
        priority: Priority,
        *,
        params: dict[str, str | int] | None = None,
        auth: bool = False,
        wait_max_ns: int | None = None,
    ) -> T:
        # One repeat only: the loops above have back-offs of their own, and every repeat costs a call of the budget.
        for last in (False, True):
            headers = await self.session.headers() if auth else PLAIN
            try:
                answer = await self._read_once(path, headers, call_class, priority, params, wait_max_ns)
            except (NotSent, OutcomeUnknown):
                if last:
                    raise
                await self._clock.sleep(self._backoff.next_ns())
                continue
            self._backoff.reset()
            if answer.status == 200:
                return decode(answer, kind)
            if last or answer.status not in (401, 429, 502, 503, 504) or (answer.status == 401 and not auth):
                raise failure_from_wire(answer)
            if answer.status == 401:
                await self.session.replace(headers)
        raise AssertionError("unreachable")

    async def _read_once(
        self,
        path: str,
        headers: dict[str, str],
        call_class: str,
        priority: Priority,
        params: dict[str, str | int] | None,
        wait_max_ns: int | None,
    ) -> Answer:
        ticket = await self._budget.acquire(call_class, priority, wait_max_ns=wait_max_ns)
        counted = True
        try:
            answer = await self._rest.read("GET", path, headers, params=params)
            counted = answer.status != 429
        except NotSent:
            counted = False
            raise
        finally:
            self._budget.release(ticket, counted=counted)
        if answer.status == 429:
            self._budget.refused(call_class, answer.retry_after_ns(self._clock.now_ns))
        else:
            self._budget.window.answered()
        return answer


def is_throttle(answer: Answer) -> bool:
    """Exactly the limiter's own answer; a 429 of anything in between proves nothing."""
    try:
        return answer.status == 429 and msgspec.json.decode(answer.body) == THROTTLED
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def failure_from_wire(answer: Answer) -> Refused | OutcomeUnknown:
    """Any answer but success as an error: 4xx was not done, the rest may have been."""
    words = failure_words(answer)
    text = f"{answer.request}: HTTP {answer.status}: {words}"
    if 400 <= answer.status < 500 and answer.status != 408:
        return Refused(text, status=answer.status, body=answer.body)
    return OutcomeUnknown(text, status=answer.status, body=answer.body)


def failure_words(answer: Answer) -> str:
    """The server's own words, from either shape of failure, or the first line of a text."""
    try:
        failure = msgspec.json.decode(answer.body, type=m.Failure)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        first = answer.body[:200].decode("utf-8", "replace").splitlines()[:1]
        return first[0] if first else "(no text)"
    return ": ".join(part for part in (failure.error, failure.message) if part) or "(no text)"


def _segment(text: str) -> str:
    if not text or text in (".", ".."):
        raise ConfigError(f"stock {text!r}: write its code, as in 'CY'")
    return quoted(text, safe="")
