"""Frames of the two sockets, and the words that answers to trades and printed tables consist of."""

import base64
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.domain.errors import BadMessage
from engine.domain.market import Bar, BarRevision, DataKind, OrderBook, Quote, Trade
from engine.domain.timestamps import MINUTE_NS
from engine.gateways.easyths import rows as easyths_rows
from engine.gateways.easyths.tables import rows_from_wire
from engine.gateways.futu.push import FillPush, OrderPush, pushed_from_wire
from engine.gateways.stream.adapter import Stream
from engine.gateways.virtual_market import texts
from tests import easyths_builders as ths
from tests import futu_builders as futu
from tests import gateway_builders as vm
from tests.fuzz.harness import Surface, Wrong, check_sentence
from tests.fuzz.mutations import Draw, bytes_mutated, mutated, text_mutated
from tests.fuzz.wires import check_bar, check_code, check_money, check_report, check_whole
from tests.gateway_builders import QuickClock, surroundings
from tests.golden.virtual_market_messages import BUY, LIQUIDATION, REFUSALS, SELLS

HALF = float("inf")


def check_market(event: Any) -> None:
    """Market data whose figures can be.

    Raises:
        Wrong: they can not.
    """
    match event:
        case Bar():
            check_bar(event)
        case BarRevision():
            check_bar(event.new)
        case Quote():
            if not (0 < event.bid < HALF and 0 < event.ask < HALF and event.ts_ns > 0):
                raise Wrong(f"a quote that can not be: {event}")
            if not (0 <= event.bid_size < HALF and 0 <= event.ask_size < HALF):
                raise Wrong(f"a quote that can not be: {event}")
        case Trade():
            if not (0 < event.price < HALF and 0 <= event.size < HALF and event.ts_ns > 0):
                raise Wrong(f"a trade that can not be: {event}")
        case OrderBook():
            levels = (*event.bids, *event.asks)
            if event.ts_ns <= 0 or not all(0 < at.price < HALF and 0 <= at.size < HALF for at in levels):
                raise Wrong(f"a book that can not be: {event}"[:300])


class FutuPush(Surface):
    """A socket's frame through the gateway's own door: market data to the feed, trades to the order's life."""

    name, share, light = "push.futu", 16_000, 350

    def seeds(self) -> Mapping[str, bytes]:
        def security(body: Any) -> None:
            body.security.market, body.security.code = 1, b"00700"

        def price(body: Any) -> None:
            row = body.basic_qot_list.add()
            row.security.market, row.security.code, row.cur_price = 1, b"00700", 510.8
            row.update_timestamp, row.volume, row.last_close_price, row.price_spread = 1794968104.0, 10, 509.0, 0.2

        def bars(body: Any) -> None:
            security(body)
            body.rehab_type, body.kl_type = 0, 6
            row = body.kl_list.add()
            row.time, row.is_blank, row.volume, row.timestamp = b"2026-11-18 10:20:00", False, 9, 1794968400.0
            row.open_price, row.high_price, row.low_price, row.close_price = 510.0, 511.0, 509.0, 510.8

        def prints(body: Any) -> None:
            security(body)
            row = body.ticker_list.add()
            row.sequence, row.price, row.volume, row.recv_time = 7, 510.8, 100, 1794968104.0

        def book(body: Any) -> None:
            security(body)
            for side, at in ((body.order_book_bid_list, 510.6), (body.order_book_ask_list, 510.8)):
                row = side.add()
                row.price, row.volume = at, 300
            body.svr_recv_time_bid_timestamp = 1794968104.0

        def order(body: Any) -> None:
            body.header.trd_env, body.header.acc_id, body.header.trd_market = 0, 1800123, 1
            row = body.order
            row.trd_side, row.order_type, row.order_status, row.order_id = 1, 1, 10, 8947461500000000561
            row.order_id_ex, row.code, row.qty, row.price = b"20261118_10_8947461500000000561", b"00700", 300.0, 510.8
            row.fill_qty, row.fill_avg_price, row.sec_market, row.remark = 100.0, 510.6, 1, b"oe-7f3a0001"
            row.update_timestamp, row.trd_market = 1794968105.0, 1

        def fill(body: Any) -> None:
            body.header.trd_env, body.header.acc_id, body.header.trd_market = 0, 1800123, 1
            row = body.order_fill
            row.trd_side, row.fill_id, row.fill_id_ex, row.order_id = 1, 5001, b"f-5001", 8947461500000000561
            row.order_id_ex, row.code, row.qty, row.price = b"20261118_10_8947461500000000561", b"00700", 100.0, 510.6
            row.sec_market, row.trd_market, row.create_timestamp = 1, 1, 1794968105.0

        def notice(body: Any) -> None:
            body.type = 3
            body.connect_status.qot_logined, body.connect_status.trd_logined = True, True

        makers = {3005: price, 3007: bars, 3011: prints, 3013: book, 2208: order, 2218: fill, 1003: notice}
        found = {f"{number}": futu.push_frame(number, maker).encode() for number, maker in makers.items()}
        return found | {"order": found["2208"], "fill": found["2218"]}

    def mutate(self, draw: Draw, seed: bytes) -> bytes:
        if draw.random() < 0.4:
            return mutated(draw, seed)
        # Inside the body, where the JSON around it stays good.
        frame = json.loads(seed)
        frame["body_b64"] = base64.b64encode(bytes_mutated(draw, base64.b64decode(frame["body_b64"]))).decode()
        return json.dumps(frame).encode()

    async def run(self, origin: str, data: bytes) -> str:
        one = futu.OneOrder(derives_fills=len(data) % 2 == 0)
        one.answered()
        gateway = futu.a_gateway(futu.FarSide(), one.clock)
        heard: list[Any] = []
        gateway.feed.listen(heard.append)
        for kind in (DataKind.QUOTE, DataKind.TRADE, DataKind.BOOK, DataKind.BAR):
            gateway.feed.subscribe(futu.InstrumentId("00700.HK"), kind, MINUTE_NS if kind is DataKind.BAR else 0)
        try:
            # Market data moves past the bar's end; the same trade push comes twice, as after a reconnection.
            for _ in range(2):
                for pushed in pushed_from_wire(data if len(data) % 3 else data.decode("utf-8", "replace")):
                    if isinstance(pushed, OrderPush):
                        one.lives.on_order(pushed.order)
                    elif isinstance(pushed, FillPush):
                        one.lives.on_fill(pushed.fill)
                    else:
                        gateway.feed.take(pushed)
        except BadMessage as error:
            return check_sentence(error, (futu.TOKEN,))
        finally:
            await gateway.close()
        for event in heard:
            check_market(event)
        filled = one.order.cum
        if not 0 <= filled <= one.request.quantity * 10**12 or one.order.quantity != one.request.quantity:
            raise Wrong(f"{filled} filled of {one.order.quantity}")
        return "heard" if heard or one.told else "nothing"


class StreamFrames(Surface):
    name, share, light = "push.stream", 12_000, 350

    def seeds(self) -> Mapping[str, bytes]:
        return {
            "quote": b'{"type":"quote","instrument":"CY.VSM","ts":5,"bid":1.0,"ask":1.1,"bid_size":1,"ask_size":2}',
            "trade": b'{"type":"trade","instrument":"CY.VSM","ts":5,"price":1.5,"size":3}',
            "bar": b'{"type":"bar","instrument":"CY.VSM","ts":300000000000,"interval":"5m","open":1,"high":2,"low":1,'
            b'"close":1.5,"volume":9}',
            "heartbeat": b'{"type":"heartbeat","ts":1}',
            "error": b'{"type":"error","message":"no such instrument"}',
            "subscribed": b'{"type":"subscribed","kind":"bar","instruments":["CY.VSM"],"interval":"5m"}',
        }

    async def run(self, origin: str, data: bytes) -> str:
        gateway = Stream(instruments=("CY.VSM",)).open(surroundings(QuickClock(10**18), {}))
        feed: Any = gateway.feed
        heard: list[Any] = []
        feed._publish = heard.append
        for kind in (DataKind.QUOTE, DataKind.TRADE, DataKind.BAR):
            feed.subscribe("CY.VSM", kind, 5 * MINUTE_NS)
        try:
            for _ in range(2):
                feed._take(data if len(data) % 3 else data.decode("utf-8", "replace"))
        except BadMessage as error:
            return check_sentence(error)
        for event in heard:
            check_market(event)
            check_code(event.instrument, data)
        return "heard" if heard else "nothing"


class TradeTexts(Surface):
    """B1: the words of a success are read by patterns; what they give must stand in them."""

    name, share, light = "texts.virtual_market", 10_000, 350

    def seeds(self) -> Mapping[str, bytes]:
        said = [BUY, LIQUIDATION, *(text for text, *_ in SELLS), *(text for text, *_ in REFUSALS)]
        return {f"{number:02}": text.encode() for number, text in enumerate(said)}

    def mutate(self, draw: Draw, seed: bytes) -> bytes:
        if draw.random() < 0.3:
            return bytes_mutated(draw, seed)
        if draw.random() < 0.03:
            return seed * draw.choice((40, 400))
        return text_mutated(draw, seed.decode("utf-8", "replace")).encode("utf-8", "replace")

    async def run(self, origin: str, data: bytes) -> str:
        text = data.decode("utf-8", "replace")
        found = [texts.buy_from_text(text), texts.sell_from_text(text), *texts.liquidation_from_text(text).values()]
        for done in found:
            if done is None:
                continue
            check_whole(done.quantity, "quantity")
            check_money(done.fee, "fee", positive=False)
            check_money(done.price, "price", positive=False)
            if done.quantity <= 0 or str(done.quantity) not in text:
                raise Wrong(f"{done.quantity} shares, which the text does not name")
            if done.fee < 0:
                raise Wrong(f"a fee of {done.fee}")
            if done.price <= 0:
                raise Wrong(f"a price of {done.price}")
        refusal = texts.refusal_from_text(text)
        check_whole(refusal.sellable, "sellable")
        if refusal.unlock_ns is not None and not 0 <= refusal.unlock_ns < 2**63:
            raise Wrong(f"unlocks in {refusal.unlock_ns} ns")
        return "read" if any(found) else "unread"


class GuiTables(Surface):
    """Tables as the client copies them: tabs, columns by place, markdown; into orders and holdings."""

    name, share, light = "texts.tables", 12_000, 350

    def seeds(self) -> Mapping[str, bytes]:
        rows = [ths.a_row(), ths.a_row("0001002", 证券代码="000001", 委托数量="1,300", 成交数量=100)]
        held = [ths.a_holding(), ths.a_holding("000001", 500, 400)]
        found = {}
        for name, table in (("orders", rows), ("holdings", held)):
            heads = list(table[0])
            cells = [[str(row[head]) or "-" for head in heads] for row in table]
            found[f"{name}/printed"] = ths.printed([heads, *cells])
            found[f"{name}/tabs"] = "\n".join("\t".join(line) for line in (heads, *cells))
            lines = (heads, ["---"] * len(heads), *cells)
            found[f"{name}/markdown"] = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return {name: text.encode() for name, text in found.items()}

    def mutate(self, draw: Draw, seed: bytes) -> bytes:
        text = seed.decode()
        lines = text.split("\n")
        at = draw.randrange(len(lines))
        match draw.randrange(8):
            case 0:
                lines.insert(at, lines[0])
            case 1:
                lines[at : at + 2] = ["".join(lines[at : at + 2])]
            case 2:
                lines[at] = lines[at].replace("\t", draw.choice((" ", "\t\t", "")), 1)
            case 3:
                lines[at] = lines[at].replace("0", draw.choice(("", ",", "000,000", "٠", ".0")), 1)
            case 4:
                return text.encode("gbk", "replace")
            case 5:
                del lines[at]
            case 6:
                return bytes_mutated(draw, seed)
            case _:
                return text_mutated(draw, text).encode("utf-8", "replace")
        return "\n".join(lines).encode()

    async def run(self, origin: str, data: bytes) -> str:
        text = data.decode("utf-8", "replace")
        try:
            rows = rows_from_wire(text, "table")
            if origin.startswith("orders"):
                lines = easyths_rows.orders_from_rows(rows, "orders")
                for line in lines:
                    for value in (line.quantity, line.filled, line.canceled):
                        check_whole(value, "quantity")
                    check_money(line.price, "price")
                    check_money(line.average, "average")
                found = [line.code for line in lines]
            else:
                held = easyths_rows.holdings_from_rows(rows, "holdings")
                for one in held:
                    check_whole(one.quantity, "held")
                    check_whole(one.sellable, "sellable")
                    check_money(one.cost, "cost", positive=False)
                found = [one.code for one in held]
        except BadMessage as error:
            return check_sentence(error)
        for code in found:
            check_code(f"{code}.SH", data)
        if not rows and "600000" in text and not any(word in text for word in ("没有对应", "空数据", "Empty")):
            raise Wrong("a table that names 600000 reads as empty")
        return "read" if found else "empty"


class TradeAnswers(Surface):
    """B1's answers through the router's own reading of words and portfolio, without the rest of the wire."""

    name, share, light = "texts.reports", 3_000, 100

    def seeds(self) -> Mapping[str, bytes]:
        return {"buy": BUY.encode(), **{f"sell/{at}": text.encode() for at, (text, *_) in enumerate(SELLS)}}

    def mutate(self, draw: Draw, seed: bytes) -> bytes:
        return text_mutated(draw, seed.decode()).encode("utf-8", "replace")

    async def open(self, folder: Path) -> None:
        self._gateway = vm.VirtualMarket(base_url="http://127.0.0.1:9", account=vm.ACCOUNT).open(
            surroundings(QuickClock(10**18))
        )

    async def close(self) -> None:
        await self._gateway.close()

    async def run(self, origin: str, data: bytes) -> str:
        text = data.decode("utf-8", "replace")
        side = vm.Side.BUY if origin == "buy" else vm.Side.SELL
        order = vm.an_order(side, 100)
        read = texts.buy_from_text if side is vm.Side.BUY else texts.sell_from_text
        done = read(text)
        if done is None or done.quantity != order.quantity:
            return "unread"
        router: Any = self._gateway.router
        for report in router._reports(order, done):
            check_report(report, order)
        return "read" if done.price > Decimal(0) else "free"
