"""The running gateway: everything a request may touch, put together once."""

import enum
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
from msgspec import Struct

from engine.clock import Clock
from engine.domain.errors import ConfigError
from engine.domain.market import Bar, Quote, Trade
from engine.domain.timestamps import SECOND_NS
from engine.entropy import Entropy
from engine.simulators.boards import Board, Standing
from engine.simulators.chronicle import Chronicle, mixed
from engine.simulators.exchange import Exchange
from engine.simulators.faults import Answer, FaultPlan, http_date
from engine.simulators.futu.candles import forming
from engine.simulators.futu.codes import BY_SUB_TYPE, MARKET_WORDS, Sub
from engine.simulators.futu.desk import Desk
from engine.simulators.futu.envelope import BACKEND_DOWN, INTERNAL, JSON_TYPE, Denied, Failed
from engine.simulators.futu.keys import Key, KeyRing, read_keys
from engine.simulators.futu.ledger import Book, Execution, Ledger, Order
from engine.simulators.futu.limits import PREFIX, Counters, LimitLayers
from engine.simulators.futu.pacing import Pacing
from engine.simulators.futu.push import Pusher
from engine.simulators.futu.quotes import Quotes
from engine.simulators.futu.rows import fill_row, header_row, order_row
from engine.simulators.futu.securities import MARKETS, Security
from engine.simulators.futu.state import Memory, read_state
from engine.simulators.futu.subscriptions import Subscriptions
from engine.simulators.sessions import Sessions

if TYPE_CHECKING:
    from engine.simulators.futu.settings import FutuSimulator

Handler = Callable[[Key | None, dict[str, Any], int], dict[str, Any]]
REPLAY_NS = 90 * SECOND_NS
"""How long an answer is kept for its idempotency key (contracts/futu.md 6.2)."""


class AnswerFault(enum.StrEnum):
    """What becomes of the answer to one place or modify."""

    TIMEOUT_DONE = "timeout_done"
    """Done, and answered with ret_type -100."""
    TIMEOUT_LOST = "timeout_lost"
    """Not done, and answered with ret_type -100."""
    NO_IDS = "no_ids"
    """Done, and answered with ret_type 0 and no ids."""


class AnswerFaults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Chances of one place or modify; ``script`` plays one on the n-th (from 1)."""

    chances: dict[AnswerFault, float] = {}
    stop_after: int | None = None
    script: dict[int, AnswerFault] = {}

    def __post_init__(self) -> None:
        if any(chance < 0 for chance in self.chances.values()) or sum(self.chances.values()) > 1:
            raise ValueError("the chances of answer faults must be 0 or more and sum up to at most 1")


class FutuVenue:
    """One gateway in memory.

    ``ledger`` is the oracle; ``faults`` (HTTP), ``pusher`` (frames) and ``answer_fired`` say which faults were played;
    ``counters`` what the limit layers counted, ``rejects`` whom they refused; ``pacing.refused`` the backend's.
    """

    def __init__(self, settings: "FutuSimulator", clock: Clock, entropy: Entropy, exchange: Exchange) -> None:
        self.settings = settings
        self.clock = clock
        self.exchange = exchange
        self.connected = True
        now_ns = clock.now_ns
        earlier = read_state(settings.state_path, now_ns)
        seed = entropy.stream("futu").getrandbits(53) if settings.seed is None else settings.seed
        self.seed = seed = seed if earlier is None else earlier.seed
        self._entropy = entropy
        exchange.advance(now_ns)
        self.securities = {security.key: security for security in settings.securities}
        self.sessions: dict[str, Sessions] = {}
        self._own: dict[str, Chronicle] = {}
        standings = {} if earlier is None else self._unlisted(earlier.standings)
        chronicles = {one.key: self._list(one, now_ns, standings.get(one.key)) for one in settings.securities}
        charges = {"real": True, "simulate": settings.simulate_fees}
        books = [Book(account, self.securities, fees=charges[account.environment]) for account in settings.accounts]
        self.ledger = Ledger(books)
        keys = settings.keys if settings.keys_path is None else read_keys(settings.keys_path)
        self.keys = KeyRing(keys, settings.machine)
        self.counters = Counters()
        self.limits = LimitLayers(
            self.counters, timezone=settings.timezone, statuses=settings.limit_statuses, texts=settings.limit_texts
        )
        self.pacing = Pacing(enforced=settings.pacing)
        self.faults = FaultPlan(settings.faults, entropy, "futu/faults")
        self.pusher = Pusher(settings.push, settings.queue_max, clock, entropy)
        self.pusher.cards = {account.acc_id: account.card_num for account in settings.accounts}
        self.subscriptions = self._subscriptions()
        self.answered: Counter[int] = Counter()
        self.auth: Counter[tuple[str, str]] = Counter()
        self.rejects: Counter[tuple[str, str]] = Counter()
        self.answer_fired: Counter[AnswerFault] = Counter()
        self.answer_faults_active = True
        self.answers = 0 if earlier is None else earlier.answers
        """Places and changes that reached the backend."""
        self.lives = 1 if earlier is None else earlier.lives + 1
        """How often the daemon was started."""
        self._requests = 0
        self.conn_id = self._connection_id()
        self._kept: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {}
        self.desk = Desk(exchange, self.ledger, self.securities, self.sessions, settings.pace, seed, self._changed)
        self.quotes = Quotes(exchange, self.desk, chronicles, seed, now_ns)
        self._by_listing = {security.exchange_code: security for security in settings.securities}
        for key, standing in standings.items():
            self.quotes.resume(key, standing.ts_ns)
        self._stirred = anyio.Event()
        exchange.listen(self._hear)
        self.memory = None if settings.state_path is None else Memory(self, settings.state_path, earlier)

    # Time

    def now_ns(self) -> int:
        """The time, with market and orders caught up to it."""
        now_ns = self.clock.now_ns
        self.desk.advance(now_ns)
        self.remember(now_ns)
        return now_ns

    def remember(self, now_ns: int) -> None:
        """Write what happened into the state file, where there is one."""
        if self.memory is not None:
            self.memory.keep(now_ns)

    def close(self) -> None:
        """The process ends as it should: prices stay where they are."""
        if self.memory is not None:
            self.memory.save()

    async def drive(self) -> None:
        """Move market and orders as time goes by, until cancelled: with a socket open, nobody else may be asking."""
        while True:
            now_ns = self.now_ns()
            self._stirred = anyio.Event()
            due = min(n for n in (self.exchange.next_mark_ns(), self.desk.next_due_ns()) if n is not None)
            with anyio.move_on_after(max(self.clock.real_seconds(due - now_ns), 1e-6)):
                await self._stirred.wait()

    def stir(self) -> None:
        """Something new may be due."""
        self._stirred.set()

    # What is known

    def known(self, row: dict[str, Any], what: str) -> Security:
        """Raises:
        Failed: no such security.
        """
        name = f"{row['market']}_{row['code']}"
        security = self.securities.get(name)
        if security is None:
            raise Failed(f"{what}: unknown security {name}")
        return security

    def traded(self, body: dict[str, Any], what: str) -> Security:
        """The security an order names by code, header and sec_market.

        Raises:
            Failed: there is none, or the account does not trade that market.
        """
        header, code, listed = body["header"], body["code"], body.get("sec_market")
        market = header["trd_market"]
        found = [
            one
            for one in self.securities.values()
            if one.code == code and market in one.place.trd_markets and listed in {None, 0, one.place.sec_market}
        ]
        if not found:
            raise Failed(f"{what}: unknown stock {code}")
        return found[0]

    def symbol(self, body: dict[str, Any]) -> str:
        """``HK.00700`` of an order, known or not, as the symbol list of a key names it."""
        listed, market = body.get("sec_market"), body["header"]["trd_market"]
        for place in MARKETS.values():
            if place.sec_market == listed or (not listed and market in place.trd_markets):
                return f"{place.word}.{body['code']}"
        return f"{MARKET_WORDS.get(market, '?')}.{body['code']}"

    def zone_of(self, sec_market: int) -> str:
        return next(place.timetable.timezone for place in MARKETS.values() if place.sec_market == sec_market)

    def card(self, acc_id: int) -> str | None:
        book = self.ledger.books.get(acc_id)
        return None if book is None else book.account.card_num

    # Idempotency

    def kept(self, key: Key, name: str, now_ns: int) -> dict[str, Any] | None:
        """The answer already given for an idempotency key within 90 s."""
        known = self._kept.get((key.id, name))
        return known[1] if known is not None and now_ns - known[0] < REPLAY_NS else None

    def keep(self, key: Key, name: str, body: dict[str, Any], now_ns: int) -> None:
        self._kept = {place: kept for place, kept in self._kept.items() if now_ns - kept[0] < REPLAY_NS}
        self._kept[key.id, name] = (now_ns, body)

    # What can be done to it from outside

    def set_connected(self, connected: bool) -> None:
        """Lose or regain the backend: /health, login flags and a notify frame of type 3 follow."""
        self.connected = connected
        status = {"qot_logined": connected, "trd_logined": connected}
        self.pusher.notify({"type": 3, "connect_status": status})

    def restart(self) -> None:
        """Restart the daemon: sockets, subscriptions, push registrations, unlock, counters and kept answers are lost;
        orders, fills and positions are the broker's and stay."""
        self.pusher.cut_all()
        self.subscriptions = self._subscriptions()
        self.counters = Counters()
        self.limits.counters = self.counters
        self.pacing = Pacing(enforced=self.settings.pacing)
        self._kept.clear()
        self.lives += 1
        self.conn_id = self._connection_id()
        for book in self.ledger.books.values():
            book.unlocked = book.account.environment == "simulate"

    def answer_fault(self) -> AnswerFault | None:
        """What becomes of the next place or modify that reaches the backend."""
        settings = self.settings.answers
        self.answers += 1
        point = self._entropy.stream("futu/answers").random()
        found = settings.script.get(self.answers)
        exhausted = settings.stop_after is not None and self.answer_fired.total() >= settings.stop_after
        if found is None and self.answer_faults_active and not exhausted:
            for fault, chance in settings.chances.items():
                point -= chance
                if point < 0:
                    found = fault
                    break
        if found is not None:
            self.answer_fired[found] += 1
        return found

    # Push

    def push_quote(self, security: Security, sub: int, rehab: int, now_ns: int, *, first: bool = False) -> None:
        """One frame of a subscription; ``first``: out of the cache, as a new subscriber gets it."""
        quotes, key = self.quotes, security.key
        if not self.pusher.listening:
            return
        match sub:
            case Sub.BASIC:
                self.pusher.quote(3005, key, sub, 0, {"basic_qot_list": [quotes.basic(security)]}, now_ns)
            case Sub.BOOK:
                self.pusher.quote(3013, key, sub, 0, quotes.book(security, 10, pushed=True), now_ns)
            case Sub.TICKER:
                row = quotes.prints(security, 50 if first else 1, push_type=3 if first else None)
                if row["ticker_list"]:
                    self.pusher.quote(3011, key, sub, 0, row, now_ns)
            case Sub.RT:
                self.pusher.quote(3009, key, sub, 0, quotes.minute_line(security, last_only=True), now_ns)
            case Sub.BROKER:
                self.pusher.quote(3015, key, sub, 0, quotes.brokers(security), now_ns)
            case _ if sub in BY_SUB_TYPE:
                period, zone = BY_SUB_TYPE[sub], security.place.timetable.timezone
                candle = forming(quotes.chronicle(security), period, now_ns)
                rows = [] if candle is None else [candle.row(zone)]
                body = {"rehab_type": rehab, "kl_type": period.kl_type, "security": security.row(), "kl_list": rows}
                self.pusher.quote(3007, key, sub, rehab, body | {"name": security.name}, now_ns)

    def _hear(self, event: Bar | Quote | Trade) -> None:
        if not isinstance(event, Bar):
            return
        security = self._by_listing.get(self.exchange.code_of(event.instrument))
        if security is None:
            return
        own = self._own.get(security.key)
        if own is not None:
            own.hear(event)
        self.quotes.hear(security, event)
        if self.pusher.listening:
            for (key, sub), rehabs in list(self.subscriptions.pushed.items()):
                if key == security.key:
                    for rehab in rehabs:
                        self.push_quote(security, sub, rehab, event.ts_ns)

    def _changed(self, change: Order | Execution, now_ns: int) -> None:
        self.stir()
        if self.memory is not None:
            self.memory.note(change)
        order = change if isinstance(change, Order) else change.order
        if order.acc_id not in self.subscriptions.accounts:
            return
        book = self.ledger.book(order.acc_id)
        head = header_row(book.account.trd_env, order.acc_id, order.trd_market)
        market = MARKET_WORDS.get(order.trd_market, "?")
        if isinstance(change, Order):
            self.pusher.trade(2208, order.acc_id, market, {"header": head, "order": order_row(change)})
        elif book.account.environment == "real" or self.settings.simulate_fill_push:
            self.pusher.trade(2218, order.acc_id, market, {"header": head, "order_fill": fill_row(change)})

    # Wording, for the faulty edge

    def route_class(self, path: str) -> str:
        """``trade`` (place, modify), ``unlock``, ``account``, ``subscribe``, ``quote``, ``page``."""
        name = path.removeprefix("/api/")
        if name in {"order", "modify-order"}:
            return "trade"
        if name == "unlock-trade":
            return "unlock"
        if name == "subscribe":
            return "subscribe"
        accounts = {"accounts", "sub-acc-push", "funds", "positions", "orders", "order-fills", "max-trd-qtys"}
        if name in accounts or name in {"history-orders", "history-order-fills", "margin-ratio", "order-fee"}:
            return "account"
        return "quote" if path.startswith("/api/") else "page"

    def throttled(self) -> Answer:
        return _error(429, f"{PREFIX}rate limit exceeded")

    def broken(self, path: str) -> Answer:
        return _error(500, INTERNAL)

    def stamp(self) -> tuple[tuple[bytes, bytes], ...]:
        return ((b"date", http_date(self.clock.now_ns)),)

    def next_request(self) -> int:
        self._requests += 1
        return self._requests

    # Inside

    def _subscriptions(self) -> Subscriptions:
        return Subscriptions(self.settings.subscription_quota, self.settings.ready_ms * 1_000_000)

    def _connection_id(self) -> int:
        restarts = (self.lives - 1,) if self.lives > 1 else ()
        return mixed(self.seed, 4, *restarts) >> 32

    def _unlisted(self, standings: dict[str, Standing]) -> dict[str, Standing]:
        """Those of securities that are to be listed; what another face has listed already stands where it stands."""
        codes = {one.key: one.exchange_code for one in self.settings.securities}
        return {key: one for key, one in standings.items() if key in codes and self.exchange.stock(codes[key]) is None}

    def _list(self, security: Security, now_ns: int, standing: Standing | None) -> Chronicle:
        """Find the security on the shared market, or list it on the board of its market."""
        place = security.place
        board = self.exchange.board(place.board)
        if board is None:
            board = Board(
                name=place.board,
                sessions=Sessions(place.timetable, always_open=self.settings.always_open),
                tick=place.tick,
                interval_ns=round(self.settings.tick_seconds * SECOND_NS),
                volatility_scale=0.0115 * self.settings.volatility,
                seed=self.seed,
            )
            self.exchange.add_board(board, now_ns)
        self.sessions[place.board] = board.sessions
        if security.listing and self.exchange.stock(security.listing) is None:
            raise ConfigError(
                f"{security.symbol} is {security.listing} of the market, which lists no such code; mend listing"
            )
        stock = self.exchange.list_on(board, security.as_listing(), now_ns, standing=standing)
        if stock.chronicle is not None:
            return stock.chronicle
        own = self._own[security.key] = Chronicle(
            self.exchange.instrument(security.exchange_code),
            seed=self.seed,
            price=stock.price,
            volatility=security.volatility,
            origin_ns=now_ns,
            sessions=Sessions(place.timetable, always_open=True),
            tick=security.tick,
        )
        return own

    def check_backend(self) -> None:
        """Raises:
        Denied: 500, the backend is away.
        """
        if not self.connected:
            raise Denied(500, BACKEND_DOWN)


def _error(status: int, text: str) -> Answer:
    return Answer.of(status, JSON_TYPE, msgspec.json.encode({"error": text}))
