"""Every route by name, for ``sluice call`` and ``ctx.query``: key=value texts in, ``data`` of the answer out."""

import math
from collections.abc import Awaitable, Mapping
from typing import Any

from engine.domain.errors import ConfigError
from engine.domain.evidence import Evidence
from engine.gateways.huatai import orders
from engine.gateways.huatai.cancelling import Canceller, Withdrawal
from engine.gateways.huatai.client import HuataiClient
from engine.gateways.huatai.tables import Reader
from engine.gateways.huatai.wire import Reply
from engine.gateways.named_routes import Args, Route, call_named
from engine.net.rest import encode

WAIT_MAX_SECONDS = 25
"""A call to the server ends after 30 s, whatever it waits for."""


class Desk:
    """What a call by hand has at its disposal."""

    def __init__(self, client: HuataiClient, reader: Reader) -> None:
        self.client = client
        self.reader = reader


class HuataiArgs(Args):
    """Readers of words only this gateway takes."""

    @property
    def session_id(self) -> str:
        """One made elsewhere; empty: our own."""
        return self.text("session_id")

    def figure(self, name: str) -> float:
        """Raises: ConfigError: it is no number."""
        given = self.text(name)
        try:
            found = float(given)
        except ValueError:
            found = math.nan
        if not math.isfinite(found):
            raise ConfigError(f"{self._route}: {name}={given!r} is no number")
        return found

    def amount(self) -> int:
        """Lots are the counter's to judge: a rest may be sold whole.

        Raises:
            ConfigError: no quantity.
        """
        found = self.whole("amount")
        if found <= 0:
            raise ConfigError(f"{self._route}: amount={found}: write a number above 0")
        return found

    def ttype(self) -> str:
        """Raises: ConfigError: none that a client offers."""
        found = self.text("ttype")
        offered = orders.TTYPES + orders.SHENZHEN_TTYPES
        if found not in offered:
            raise ConfigError(f"{self._route}: ttype={found!r}: write one of {', '.join(offered)}")
        return found

    def seconds(self) -> float:
        found = self.figure("seconds")
        if not 0 <= found <= WAIT_MAX_SECONDS:
            raise ConfigError(f"{self._route}: seconds={found:g}: write 0 to {WAIT_MAX_SECONDS}")
        return found


async def _order(desk: Desk, args: HuataiArgs, path: str) -> Any:
    """An order by hand, judged as any other: code and HTTP status do not tell.

    Raises:
        Refused: provably not placed. OutcomeUnknown: look at today_entrusts; never send it again blindly.
    """
    fields: dict[str, Any] = {"security": args.text("security"), "amount": args.amount()}
    if path.startswith("/market-"):
        fields |= {"ttype": args.ttype()} if args.text("ttype") else {}
    else:
        fields["price"] = args.figure("price")
    reply = await desk.client.order(path, encode(fields), session_id=args.session_id)
    orders.placed_number(reply)
    return reply.data


async def _cancel(desk: Desk, args: HuataiArgs) -> Any:
    """By either number of an order, verified; the row is found in the day's list.

    Raises:
        ConfigError: there is no such order, or there are two.
    """
    number = args.text("number")
    lines = desk.reader.orders(await desk.client.today_entrusts())
    mine = [line for line in lines if number.lstrip("0") in line.numbers]
    if len(mine) != 1:
        raise ConfigError(f"{len(mine)} orders of today have the number {number}; look at today_entrusts")
    return _told(await Canceller(desk.client, desk.reader).withdraw(mine[0]))


async def _cancel_all(desk: Desk, _args: HuataiArgs) -> Any:
    done = await Canceller(desk.client, desk.reader).withdraw_all()
    return [found if isinstance(found, str) else _told(found) for found in done]


def _told(found: Withdrawal) -> dict[str, Any]:
    state = Evidence.CANCELED if found.state is Evidence.REJECT else found.state
    return {
        "instrument": found.line.instrument,
        "numbers": list(found.line.numbers),
        "state": state.value,
        "filled": found.cum,
        "can_be_cancelled": found.listed,
        "message": found.words,
    }


def _said(reply: Reply) -> Any:
    """``data``, or the words where there is none: the code of these routes says nothing."""
    return reply.data if reply.data is not None else {"message": reply.words}


async def _data(answer: Awaitable[Reply]) -> Any:
    return (await answer).data


async def _words(answer: Awaitable[Reply]) -> Any:
    """``data``, or the words where there is none: the code of these routes says nothing."""
    reply = await answer
    return reply.data if reply.data is not None else {"message": reply.words}


_OURS = ("session_id",)
_ORDER = ("security", "amount")
ROUTES: dict[str, Route[Desk, HuataiArgs]] = {
    "connect": Route(path="POST /connect", text="take the client that runs and is logged in",
                     run=lambda d, a: _data(d.client.connect(a.text("exe_path"))), takes=("exe_path",), changes=True),
    "login": Route(
        path="POST /login", text="start the client and log in; without arguments as the configured user",
        run=lambda d, a: _data(d.client.login(
            a.text("user"), a.text("password"), a.text("comm_password"), a.text("exe_path"))),
        takes=("user", "password", "comm_password", "exe_path"), changes=True),
    "exit": Route(path="POST /exit", text="end the client, for every session of everybody",
                  run=lambda d, a: _data(d.client.exit(a.session_id)), takes=_OURS, changes=True),
    # Its answer holds the session's id, which strategies have no use for and journals must not keep.
    "session_status": Route(path="GET /session-status", text="the automatic login's session",
                            run=lambda d, a: _data(d.client.session_status(a.session_id)), takes=_OURS, changes=True),
    "balance": Route(path="GET /balance", text="cash and total",
                     run=lambda d, a: _data(d.client.balance(session_id=a.session_id)), takes=_OURS),
    "position": Route(path="GET /position", text="holdings",
                      run=lambda d, a: _data(d.client.position(session_id=a.session_id)), takes=_OURS),
    "today_entrusts": Route(path="GET /today-entrusts", text="every order of today",
                            run=lambda d, a: _data(d.client.today_entrusts(session_id=a.session_id)), takes=_OURS),
    "today_trades": Route(path="GET /today-trades", text="every trade of today",
                          run=lambda d, a: _data(d.client.today_trades(session_id=a.session_id)), takes=_OURS),
    "cancel_entrusts": Route(path="GET /cancel-entrusts", text="orders that can be cancelled",
                             run=lambda d, a: _data(d.client.cancel_entrusts(session_id=a.session_id)), takes=_OURS),
    "buy": Route(path="POST /buy", text="buy at a limit, past our own risk checks",
                 run=lambda d, a: _order(d, a, "/buy"), needs=(*_ORDER, "price"), takes=_OURS, changes=True),
    "sell": Route(path="POST /sell", text="sell at a limit, past our own risk checks",
                  run=lambda d, a: _order(d, a, "/sell"), needs=(*_ORDER, "price"), takes=_OURS, changes=True),
    "market_buy": Route(path="POST /market-buy", text="buy at the market, past our own risk checks",
                        run=lambda d, a: _order(d, a, "/market-buy"), needs=_ORDER, takes=("ttype", *_OURS),
                        changes=True),
    "market_sell": Route(path="POST /market-sell", text="sell at the market, past our own risk checks",
                         run=lambda d, a: _order(d, a, "/market-sell"), needs=_ORDER, takes=("ttype", *_OURS),
                         changes=True),
    "cancel_entrust": Route(
        path="POST /cancel-entrust", text="ask for one cancel, by the number this server compares; proves nothing",
        run=lambda d, a: _words(d.client.cancel_entrust(a.text("entrust_no"), a.session_id)),
        needs=("entrust_no",), takes=_OURS, changes=True),
    "cancel_all_entrusts": Route(
        path="POST /cancel-all-entrusts", text="the client's own button for all; may do nothing, and proves nothing",
        run=lambda d, a: _words(d.client.cancel_all_entrusts(a.session_id)), takes=_OURS, changes=True),
    "auto_ipo": Route(path="POST /auto-ipo", text="subscribe for every new share of today",
                      run=lambda d, a: _words(d.client.auto_ipo(session_id=a.session_id)), takes=_OURS, changes=True),
    "refresh": Route(path="POST /refresh", text="press F5",
                     run=lambda d, a: _data(d.client.refresh(a.session_id)), takes=_OURS, changes=True),
    "wait": Route(path="POST /wait", text=f"hold the server for so long, at most {WAIT_MAX_SECONDS}",
                  run=lambda d, a: _data(d.client.wait(a.seconds(), a.session_id)), needs=("seconds",), takes=_OURS,
                  changes=True),
    "check_pop_dialog": Route(path="GET /check-pop-dialog", text="whether a dialog is open",
                              run=lambda d, a: _data(d.client.check_pop_dialog(a.session_id)), takes=_OURS),
    "close_pop_dialog": Route(path="POST /close-pop-dialog", text="close the dialog that is open",
                              run=lambda d, a: _data(d.client.close_pop_dialog(a.session_id)), takes=_OURS,
                              changes=True),
    "cancel": Route(text="cancel one order of today by either of its numbers, and see what became of it",
                    run=_cancel, needs=("number",), changes=True),
    "cancel_all": Route(text="cancel every order one by one, and see what became of each",
                        run=_cancel_all, changes=True),
}  # fmt: skip


async def call_route(desk: Desk, gateway: str, route: str, args: Mapping[str, str]) -> Any:
    """See ``Gateway.call``. The page's own spelling does as well: ``today-entrusts``."""
    return await call_named(ROUTES, HuataiArgs, desk, gateway, route.replace("-", "_"), args)
