"""Pushes as events, bars closed once, history page by page, every route by name; garbage is one error and no other."""

import base64
import json
import re
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import LiveClock
from engine.domain.errors import BadMessage, ConfigError
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar, BarRevision, BookLevel, DataKind, FeedStatus, OrderBook, Quote, Trade
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, parse_time
from engine.gateways.futu import wire
from engine.gateways.futu.adapter import FutuGateway
from engine.gateways.futu.bars import BarLog, bars_from_rows
from engine.gateways.futu.push import OrderPush, pushed_from_wire
from engine.gateways.futu.quote_messages import KLine
from engine.gateways.futu.routes import ROUTES
from engine.gateways.futu.schema import RESPONSES
from engine.gateways.futu.trade_messages import Order, PacketId
from tests.futu_builders import NOW_NS, PAGE, FarSide, a_gateway, ok, push_frame, said_no

TENCENT = InstrumentId("00700.HK")
IDS = st.integers(0, 2**64 - 1)


# --- ids, envelopes, garbage -----------------------------------------------------------------------------------------


@given(IDS, st.booleans())
def test_ids_are_kept_as_text_in_either_form(number: int, as_text: bool) -> None:
    """Any uint64, as number or as text: the same text, and back to the same number."""

    class Row(msgspec.Struct):
        order_id: wire.Id | None = None

    body = json.dumps({"order_id": str(number) if as_text else number}).encode()
    found = wire.read(body, Row, "x")
    assert found.order_id == str(number)
    assert int(found.order_id) == number


@given(IDS)
def test_pushed_ids_are_kept_as_text(number: int) -> None:
    """Protobuf's uint64 too, past 2^63."""

    def fill(s2c: Any) -> None:
        s2c.header.acc_id = number
        s2c.order.order_id = number

    (pushed,) = pushed_from_wire(push_frame(2208, fill))
    assert isinstance(pushed, OrderPush)
    assert (pushed.acc_id, pushed.order.order_id) == (str(number), str(number))


@pytest.mark.parametrize("value", [True, 1.5, [], {}, "\u0000", "单", "x" * 200])
def test_what_is_no_id_is_unreadable(value: Any) -> None:
    """Neither a float, which would lose digits, nor a text no id has."""
    with pytest.raises(BadMessage):
        wire.read(json.dumps(value).encode(), wire.Id, "x")


@given(st.binary(max_size=200))
def test_garbage_answers_are_one_error(body: bytes) -> None:
    """Whatever bytes: an order row, or BadMessage."""
    try:
        wire.read(body, Order, "x")
    except BadMessage as error:
        if error.body != body:
            raise AssertionError("the body is not kept") from error


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(sorted(RESPONSES)), st.binary(max_size=300))
def test_garbage_pushes_are_one_error(proto_id: int, body: bytes) -> None:
    """Random bytes as any push body: events or BadMessage, nothing else."""
    frame = json.dumps({"type": "quote", "proto_id": proto_id, "body_b64": base64.b64encode(body).decode()})
    try:
        pushed_from_wire(frame)
    except BadMessage:
        return


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(RESPONSES)), st.integers(0, 400), st.integers(0, 255))
def test_broken_real_pushes_are_one_error(proto_id: int, place: int, value: int) -> None:
    """One byte of a good body changed, or its end cut off."""
    body = bytearray(_a_body(proto_id))
    if body:
        body[place % len(body)] = value
    for bad in (bytes(body), bytes(body[: place % (len(body) + 1)])):
        frame = json.dumps({"proto_id": proto_id, "body_b64": base64.b64encode(bad).decode()})
        try:
            pushed_from_wire(frame)
        except BadMessage:
            continue


def _a_body(proto_id: int) -> bytes:
    message = RESPONSES[proto_id]()
    message.ret_type = 0
    _fill_any(message.s2c, 0)
    return bytes(message.SerializeToString())


def _fill_any(message: Any, depth: int) -> None:
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None:
            inner = getattr(message, field.name)
            _fill_any(inner.add() if field.is_repeated else inner, depth + 1)
        else:
            kinds = {field.TYPE_BYTES: b"00700", field.TYPE_DOUBLE: 1.5, field.TYPE_BOOL: True}
            setattr(message, field.name, kinds.get(field.type, 1))


@pytest.mark.parametrize(
    "frame", ["", "[]", "{}", '{"proto_id":2208}', '{"proto_id":2208,"body_b64":"?"}', '{"proto_id":"x","body_b64":""}',
              '{"proto_id":2208,"body_b64":""}', b"\xff\xfe"],
)  # fmt: skip
def test_what_is_no_frame_is_unreadable(frame: str | bytes) -> None:
    """Nothing of it is taken for silence."""
    with pytest.raises(BadMessage):
        pushed_from_wire(frame)


def test_unknown_pushes_are_left_alone() -> None:
    """Price reminders, and what later builds add."""
    assert pushed_from_wire('{"type":"notify","proto_id":3019,"body_b64":""}') == []


# --- the feed --------------------------------------------------------------------------------------------------------


def a_feed(far: FarSide | None = None, clock: Any = None, **given_settings: Any) -> tuple[FutuGateway, list[Any]]:
    gateway = a_gateway(far or FarSide(), clock, **({"instruments": ("00700.HK", "AAPL.US")} | given_settings))
    heard: list[Any] = []
    gateway.feed.listen(heard.append)
    return gateway, heard


def a_basic_quote(price: float) -> str:
    def fill(s2c: Any) -> None:
        row = s2c.basic_qot_list.add()
        row.security.market, row.security.code, row.cur_price = 1, b"00700", price
        row.update_timestamp = NOW_NS / 1e9

    return push_frame(3005, fill)


def take(gateway: FutuGateway, frame: str) -> None:
    gateway.session._on_message(frame)


def test_quotes_come_from_the_book_once_it_speaks() -> None:
    """The basic quote has one price only; the book has bid and ask."""
    gateway, heard = a_feed()
    gateway.feed.subscribe(TENCENT, DataKind.QUOTE, 0)
    take(gateway, a_basic_quote(511.2))
    take(gateway, a_book((511.0, 100), (511.2, 200)))
    take(gateway, a_basic_quote(511.4))
    assert [(q.bid, q.ask, q.bid_size, q.ask_size) for q in heard] == [(511.2, 511.2, 0, 0), (511.0, 511.2, 100, 200)]
    assert gateway.feed.prices[TENCENT] == 511.4


def a_book(bid: tuple[float, int], ask: tuple[float, int]) -> str:
    def fill(s2c: Any) -> None:
        s2c.security.market, s2c.security.code = 1, b"00700"
        for side, (price, volume) in ((s2c.order_book_bid_list, bid), (s2c.order_book_ask_list, ask)):
            row = side.add()
            row.price, row.volume = price, volume
        s2c.svr_recv_time_bid_timestamp = NOW_NS / 1e9

    return push_frame(3013, fill)


def test_books_and_trades_only_where_they_are_asked_for() -> None:
    """The gateway's connection is shared: pushes of others move the last price and nothing else."""
    gateway, heard = a_feed()
    take(gateway, a_book((511.0, 100), (511.2, 200)))
    take(gateway, some_trades((1, 511.0, 1)))
    assert heard == []
    gateway.feed.subscribe(TENCENT, DataKind.BOOK, 0)
    take(gateway, a_book((511.0, 100), (511.2, 200)))
    assert heard == [OrderBook(TENCENT, NOW_NS, (BookLevel(511.0, 100.0),), (BookLevel(511.2, 200.0),))]


def some_trades(*rows: tuple[int, float, int]) -> str:
    def fill(s2c: Any) -> None:
        s2c.security.market, s2c.security.code = 1, b"00700"
        for sequence, price, kind in rows:
            row = s2c.ticker_list.add()
            row.sequence, row.price, row.volume, row.push_data_type, row.timestamp = sequence, price, 10, kind, 1e9

    return push_frame(3011, fill)


def test_trades_once_in_order_and_live_only() -> None:
    """Refills after a disconnect and repeats are not new trades."""
    gateway, heard = a_feed()
    gateway.feed.subscribe(TENCENT, DataKind.TRADE, 0)
    take(gateway, some_trades((2, 511.2, 1), (1, 511.0, 1)))
    take(gateway, some_trades((2, 511.2, 1), (3, 511.4, 2), (4, 511.6, 1)))
    assert [trade.price for trade in heard if isinstance(trade, Trade)] == [511.0, 511.2, 511.6]


def a_kline(label: str, close: float, rehab: int = 0, kl_type: int = 1) -> str:
    def fill(s2c: Any) -> None:
        s2c.security.market, s2c.security.code, s2c.kl_type, s2c.rehab_type = 1, b"00700", kl_type, rehab
        row = s2c.kl_list.add()
        row.time, row.volume = label.encode(), 100
        row.open_price, row.high_price, row.low_price, row.close_price = 500.0, 600.0, 400.0, close

    return push_frame(3007, fill)


def test_bars_are_published_once_they_are_over() -> None:
    """The forming bar again and again; its end comes with the next label, or with the clock; a change is a revision."""
    gateway, heard = a_feed()
    clock: Any = gateway._clock
    gateway.feed.subscribe(TENCENT, DataKind.BAR, MINUTE_NS)
    for close in (501.0, 502.0):
        take(gateway, a_kline("2026-11-18 10:16:00", close))
    assert heard == []
    take(gateway, a_kline("2026-11-18 10:17:00", 503.0))
    end = parse_time("2026-11-18 10:16:00", "Asia/Hong_Kong")
    assert heard == [Bar(TENCENT, end, 500.0, 600.0, 400.0, 502.0, 100.0, MINUTE_NS)]
    clock.now_ns = end + MINUTE_NS + 2 * SECOND_NS
    gateway.feed._send(gateway.feed.log.close_due(clock.now_ns))
    gateway.feed._send(gateway.feed.log.close_due(clock.now_ns))
    assert [bar.ts_ns for bar in heard] == [end, end + MINUTE_NS]
    take(gateway, a_kline("2026-11-18 10:17:00", 504.0))
    assert isinstance(heard[-1], BarRevision)
    assert (heard[-1].old.close, heard[-1].new.close) == (503.0, 504.0)
    take(gateway, a_kline("2026-11-18 10:18:00", 1.0, rehab=1))
    assert len(heard) == 3


def test_a_bar_that_had_ended_before_we_came_is_not_news() -> None:
    """The first push may be of yesterday's last minute."""
    gateway, heard = a_feed()
    gateway.feed.subscribe(TENCENT, DataKind.BAR, MINUTE_NS)
    take(gateway, a_kline("2026-11-17 16:00:00", 501.0))
    gateway.feed._send(gateway.feed.log.close_due(NOW_NS))
    assert heard == []


def test_daily_bars_end_with_their_day() -> None:
    """Stamped with midnight; taking that for their end would look a day into the future."""
    rows = [KLine(time="2026-11-18 00:00:00", timestamp=1.0, open_price=1, high_price=1, low_price=1, close_price=1)]
    (bar,) = bars_from_rows(TENCENT, DAY_NS, rows)
    assert bar.ts_ns == parse_time("2026-11-18 16:10:00", "Asia/Hong_Kong")


def test_broken_and_blank_bars_are_left_out() -> None:
    """High below open is in real data; labels once, in order."""

    def row(minute: int, high: float = 2.0, *, blank: bool = False) -> KLine:
        return KLine(time=f"2026-11-18 10:{minute:02d}:00", is_blank=blank, open_price=1.5, high_price=high,
                     low_price=1.0, close_price=1.2, volume=1)  # fmt: skip

    bars = bars_from_rows(TENCENT, MINUTE_NS, [row(3), row(1), row(2, high=1.1), row(4, blank=True), row(1)])
    assert [bar.ts_ns // MINUTE_NS % 60 for bar in bars] == [1, 3]


@pytest.mark.parametrize(("interval_ns", "good"), [(MINUTE_NS, True), (DAY_NS, True), (HOUR_NS, True), (7, False)])
def test_bar_lengths_it_has(interval_ns: int, good: bool) -> None:
    """Others are a sentence, not a silence."""
    gateway, _ = a_feed()
    if good:
        gateway.feed.subscribe(TENCENT, DataKind.BAR, interval_ns)
    else:
        with pytest.raises(ConfigError, match="no bars"):
            gateway.feed.subscribe(TENCENT, DataKind.BAR, interval_ns)
    with pytest.raises(ConfigError, match="not among"):
        gateway.feed.subscribe(InstrumentId("00005.HK"), DataKind.QUOTE, 0)


def test_brokers_and_minute_line_are_kept() -> None:
    """No event of the engine's; who asks gets the last."""
    gateway, _ = a_feed(extras=("rt", "broker"))

    def brokers(s2c: Any) -> None:
        s2c.security.market, s2c.security.code = 1, b"00700"
        row = s2c.broker_ask_list.add()
        row.id, row.name, row.pos = 7, "某".encode(), 1

    def line(s2c: Any) -> None:
        s2c.security.market, s2c.security.code = 1, b"00700"
        row = s2c.rt_list.add()
        row.time, row.price, row.avg_price, row.volume = b"10:15", 511.0, 510.0, 5

    take(gateway, push_frame(3015, brokers))
    take(gateway, push_frame(3009, line))
    assert (gateway.feed.brokers[TENCENT].asks[0].name, gateway.feed.minute_lines[TENCENT].average) == ("某", 510.0)


# --- subscriptions ---------------------------------------------------------------------------------------------------


async def test_subscriptions_go_in_one_call_and_come_back_after_a_loss() -> None:
    """Registered for push; exactly the set again; nothing twice in between."""
    far = FarSide()
    far.say("/api/subscribe", ok())
    gateway, _ = a_feed(far)
    for instrument in (TENCENT, InstrumentId("AAPL.US")):
        gateway.feed.subscribe(instrument, DataKind.QUOTE, 0)
        gateway.feed.subscribe(instrument, DataKind.BAR, 5 * MINUTE_NS)
    for _ in range(2):
        await gateway.feed.subscribe_missing()
    await gateway.feed.resubscribe()
    first, second = far.bodies("/api/subscribe")
    assert first == second
    assert first == {
        "security_list": [{"market": 1, "code": "00700"}, {"market": 11, "code": "AAPL"}], "sub_type_list": [1, 2, 7],
        "is_sub_or_un_sub": True, "is_reg_or_un_reg_push": True, "reg_push_rehab_type_list": [0], "is_first_push": True,
    }  # fmt: skip


async def test_one_bad_code_does_not_cost_the_others() -> None:
    """All or nothing there, so one by one here; refused bars are polled instead, refused quotes are told."""
    far = FarSide()

    def answer(body: dict[str, Any]) -> httpx.Response:
        bad = any(row["code"] == "AAPL" for row in body["security_list"])
        return said_no("[err_code=none] no right") if bad else ok()

    far.say("/api/subscribe", answer)
    gateway, heard = a_feed(far)
    for instrument in (TENCENT, InstrumentId("AAPL.US")):
        gateway.feed.subscribe(instrument, DataKind.TRADE, 0)
        gateway.feed.subscribe(instrument, DataKind.BAR, MINUTE_NS)
    await gateway.feed.subscribe_missing()
    assert gateway.feed._subscribed == {(TENCENT, 4), (TENCENT, 11)}
    assert gateway.feed.polled == {(InstrumentId("AAPL.US"), MINUTE_NS)}
    assert [event.reason for event in heard if isinstance(event, FeedStatus)] == [
        "AAPL.US: no subscription 4: POST /api/subscribe: no right"
    ]


def test_polled_bars_start_in_silence_and_tell_changes() -> None:
    """Closed ones only, once; what changes afterwards is a revision."""
    log, key = BarLog("futu"), (TENCENT, MINUTE_NS)

    def bars(*closes: float) -> list[Bar]:
        return [Bar(TENCENT, (n + 1) * MINUTE_NS, 1, 9, 1, close, 0, MINUTE_NS) for n, close in enumerate(closes)]

    assert log.closed(key, bars(2, 3), 2 * MINUTE_NS + 2 * SECOND_NS) == []
    assert log.closed(key, bars(2, 3, 4), 2 * MINUTE_NS + 30 * SECOND_NS) == []
    (third,) = log.closed(key, bars(2, 3, 4), 3 * MINUTE_NS + 2 * SECOND_NS)
    assert third == bars(2, 3, 4)[2]
    (changed,) = log.closed(key, bars(2, 3, 5), 3 * MINUTE_NS + 9 * SECOND_NS)
    assert isinstance(changed, BarRevision)
    assert (changed.old.close, changed.new.close) == (4, 5)


# --- history ---------------------------------------------------------------------------------------------------------


def some_pages(count: int, key: Any = None) -> Any:
    """Three bars a page; the key counts up, or is always the same."""

    def answer(body: dict[str, Any]) -> httpx.Response:
        page = body.get("next_req_key", [0])[0]
        rows = [{"time": f"2026-11-18 09:{31 + page * 3 + n}:00", "open_price": 1, "high_price": 2, "low_price": 1,
                 "close_price": 1.5, "volume": 1} for n in range(3)]  # fmt: skip
        following = key if key is not None else [page + 1]
        return ok(
            {"security": body["security"], "kl_list": rows, "next_req_key": following if page + 1 < count else []}
        )

    return answer


async def test_history_reads_every_page_within_its_pace() -> None:
    """Three pages, each bar once, oldest first; the question stays the same; pages a second apart."""
    far = FarSide()
    far.say("/api/history-kline", some_pages(3))
    gateway, _ = a_feed(far, LiveClock(start_ns=NOW_NS, speed=50.0))
    from_ns = parse_time("2026-11-18 09:30:00", "Asia/Hong_Kong")
    bars = await gateway.history(TENCENT, "1m", from_ns, from_ns + 8 * MINUTE_NS)
    assert [(bar.ts_ns - from_ns) // MINUTE_NS for bar in bars] == list(range(1, 9))
    bodies = far.bodies("/api/history-kline")
    assert [body.pop("next_req_key", None) for body in bodies] == [None, [1], [2]]
    assert bodies[0] == bodies[1] == bodies[2]
    assert (bodies[0]["begin_time"], bodies[0]["max_count"]) == ("2026-11-18 09:30:00", 1000)
    assert gateway._clock.now_ns - NOW_NS >= SECOND_NS


async def test_history_that_goes_round_in_a_circle_is_unreadable() -> None:
    """A key that repeats must not read for ever."""
    far = FarSide()
    far.say("/api/history-kline", some_pages(10, key=[1]))
    gateway, _ = a_feed(far, LiveClock(start_ns=NOW_NS, speed=50.0))
    with pytest.raises(BadMessage, match="circle"):
        await gateway.history(TENCENT, "1m", 0, NOW_NS)


# --- routes ----------------------------------------------------------------------------------------------------------


def test_the_routes_are_the_pages_own() -> None:
    """All 41, with the methods of the page."""
    assert len(ROUTES) == 41
    if not PAGE.is_file():
        pytest.skip("the vendor's page is not beside this repository")
    listed = set(re.findall(r"^(GET|POST) (/api/[a-z-]+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert {(route.method, route.path) for route in ROUTES.values()} == listed


@pytest.mark.parametrize("name", sorted(ROUTES))
async def test_every_route_can_be_called_by_name_with_every_field(name: str) -> None:
    """Each field of its question is taken as text and arrives; header and packet id are filled in."""
    route = ROUTES[name]
    far = FarSide()
    gateway = a_gateway(far)
    await gateway.connect()
    hints = {field.name: field.type for field in msgspec.inspect.type_info(route.ask).fields}  # type: ignore[attr-defined]
    args = {key: _a_text(key, kind) for key, kind in hints.items() if key not in ("header", "packet_id")}
    far.say(route.path, lambda _body: said_no("seen"))
    with pytest.raises(Exception, match="seen"):
        await gateway.call(name, args)
    body = far.bodies(route.path)[-1]
    if route.method == "GET":
        assert body == {}
        return
    assert set(body) == {"c2s"} if route.wrapped else "c2s" not in body
    assert set(body.get("c2s", body)) == set(hints)


def _a_text(key: str, kind: Any) -> str:
    if key in ("security", "plate", "owner", "security_list"):
        return "00700.HK"
    kinds = [type(one).__name__ for one in (kind.types if hasattr(kind, "types") else [kind])]
    if "ListType" in kinds:
        item = next(one for one in (kind.types if hasattr(kind, "types") else [kind]) if hasattr(one, "item_type"))
        return '["1"]' if "Str" in type(item.item_type).__name__ else "[{}]" if "Dict" in type(
            item.item_type).__name__ else "[1]"  # fmt: skip
    if "StructType" in kinds or "DictType" in kinds:
        return '{"code_list":["00700"]}'
    return "true" if "BoolType" in kinds else "7"


async def test_routes_that_change_nothing_are_the_ones_a_strategy_may_call() -> None:
    """Orders, changes, unlocks and subscriptions are not among them; strange ones are a sentence."""
    gateway = a_gateway(FarSide())
    assert set(gateway.routes()) - gateway.reads() == {
        "order", "modify_order", "unlock_trade", "subscribe", "sub_acc_push",
    }  # fmt: skip
    with pytest.raises(ConfigError, match="no route"):
        await gateway.call("transfer", {})
    with pytest.raises(ConfigError, match="symbol"):
        await gateway.call("quote", {"symbol": "x"})
    assert PacketId(conn_id=1, serial_no=2) != gateway._packets.next()


def test_quote_is_what_it_is() -> None:
    """Guards the builder: a book frame really makes a quote."""
    gateway, heard = a_feed()
    gateway.feed.subscribe(TENCENT, DataKind.QUOTE, 0)
    take(gateway, a_book((1.0, 1), (2.0, 1)))
    assert heard == [Quote(TENCENT, NOW_NS, 1.0, 2.0, 1.0, 1.0)]
