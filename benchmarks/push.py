"""CPU of one Futu push from the socket's bytes to a strategy's ``on_quote``, against bare decoding of the same bytes.

The pushes are the simulated gateway's own: basic quotes and ten-level books of three Hong Kong stocks, which is what
the gateway subscribes for a strategy that wants quotes. They are recorded once and played round and round.

* bare: ``websockets`` parses the frame, ``json`` the envelope, ``base64`` and ``protobuf`` the body; nothing is read.
* ours: the same frame parsing, then the gateway's session, feed, bus, portfolio and strategy.

Both run in one process, in turns of a few thousand pushes, so that a slow moment of the machine hits both; the garbage
collector runs as it does in the engine.

    python -m benchmarks.push [--short] [--json]
"""

import argparse
import base64
import json
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from engine import Quote, Strategy
from engine.clock import ReplayClock
from engine.domain.account import Capabilities
from engine.domain.ids import AccountId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument, InstrumentKind
from engine.domain.market import DataKind
from engine.domain.timestamps import SECOND_NS, parse_time
from engine.entropy import Entropy
from engine.gateways.futu.adapter import Futu
from engine.gateways.futu.codes import SUB_BASIC, SUB_BOOK
from engine.gateways.futu.schema import RESPONSES
from engine.gateways.surroundings import Surroundings
from engine.journal.memory import MemoryJournal
from engine.markets.free import Free
from engine.risk.profiles import limits_for
from engine.runtime.outboxes import Outboxes
from engine.runtime.wiring import Core, join
from engine.simulators.futu import FutuSimulator, FutuVenue
from engine.strategy import Context

STOCKS = tuple(InstrumentId(name) for name in ("00700.HK", "09988.HK", "00005.HK"))
ACCOUNT = AccountId("paper")
BOUND_RATIO = 2.0
RECORDED = 3_000
TURN = 5_000
START = "2026-11-18T10:00:00+08:00"


class Last(Strategy):
    """Keeps the last middle of each instrument: the least a strategy does with a quote."""

    def on_start(self) -> None:
        self.middles: dict[InstrumentId, float] = {}
        self.heard = 0

    def on_quote(self, quote: Quote) -> None:
        self.heard += 1
        self.middles[quote.instrument] = (quote.bid + quote.ask) / 2


class Tape:
    """Stands where a connection stands, and keeps each frame as the bytes a server sends."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def offer(self, frame: Any) -> None:
        self.frames.append(Frame(Opcode.TEXT, frame.text.encode()).serialize(mask=False))


def recorded(count: int) -> list[bytes]:
    """So many push frames of the simulated gateway, in the order it sent them."""
    clock = ReplayClock(parse_time(START))
    venue: FutuVenue = FutuSimulator(seed=3, always_open=True).app(clock, Entropy(3)).state.venue
    tape = Tape()
    venue.pusher.connections.append(tape)  # type: ignore[arg-type]
    wanted = [security for security in venue.securities.values() if security.symbol.startswith("HK.")]
    subscribe = {
        "sub_type_list": [SUB_BASIC, SUB_BOOK], "is_sub_or_un_sub": True, "is_reg_or_un_reg_push": True,
    }  # fmt: skip
    venue.subscriptions.change(wanted, subscribe, clock.now_ns)
    while len(tape.frames) < count:
        clock.now_ns += SECOND_NS
        venue.now_ns()
    return tape.frames[:count]


def a_reader() -> Callable[[bytes], str]:
    """websockets' own parsing of one frame, without a socket under it."""
    protocol = ClientProtocol(parse_uri("ws://127.0.0.1/ws"), state=State.OPEN)

    def read(data: bytes) -> str:
        protocol.receive_data(data)
        (frame,) = protocol.events_received()
        return str(frame.data, "utf-8")  # type: ignore[union-attr]

    return read


def bare() -> Callable[[bytes], None]:
    """What nobody can do without: frame, envelope, body."""
    read = a_reader()

    def take(data: bytes) -> None:
        head = json.loads(read(data))
        message = RESPONSES[head["proto_id"]]()
        message.ParseFromString(base64.b64decode(head["body_b64"]))

    return take


def ours() -> tuple[Callable[[bytes], None], Last]:
    """The gateway's push path into a whole core; and the strategy at its end."""
    clock = ReplayClock(parse_time(START))
    gateway = Futu(instruments=STOCKS).open(Surroundings(clock=clock, entropy=Entropy(1), environ={}))
    instruments = {
        name: Instrument(id=name, kind=InstrumentKind.STOCK, market="free", currency="HKD", lot=100) for name in STOCKS
    }
    core = Core(
        clock=clock,
        journal=MemoryJournal(),
        instruments=instruments,
        books={"free": Free()},
        limits=limits_for("paper", {}),
        sheets={ACCOUNT: Capabilities(gateway="futu", order_types=frozenset())},
        outside=lambda *_: None,
        note=lambda *_: None,
    )
    core.portfolio.open_account(ACCOUNT, "HKD", Decimal(10**6))
    join(core, Outboxes({}), keep_history=True, subscriptions=lambda _event: None)
    name, strategy = StrategyId("last"), Last()
    context = Context(
        strategy=name, account=ACCOUNT, instruments=STOCKS, catalogue=instruments, publish=core.bus.publish,
        portfolio=core.portfolio, history=core.history, desk=core.runner,
    )  # fmt: skip
    core.runner.seat(name, strategy, context)
    core.runner.start()
    gateway.feed.listen(core.bus.publish)
    for stock in STOCKS:
        gateway.feed.subscribe(stock, DataKind.QUOTE, 0)
        core.runner.listen(name, DataKind.QUOTE, stock, 0)
    read, on_message = a_reader(), gateway.session._on_message

    def take(data: bytes) -> None:
        on_message(read(data))

    return take, strategy


def measure(take: Callable[[bytes], None], frames: Sequence[bytes]) -> float:
    """CPU seconds of this process for these frames."""
    began = time.process_time()
    for frame in frames:
        take(frame)
    return time.process_time() - began


def run(pushes: int) -> dict[str, float]:
    frames = recorded(RECORDED)
    tape = (frames * (TURN // len(frames) + 1))[:TURN]
    plain = bare()
    whole, strategy = ours()
    for take in (plain, whole):
        measure(take, frames)
    before, spent = strategy.heard, [0.0, 0.0]
    turns = max(1, pushes // TURN)
    for turn in range(turns):
        for place in (0, 1) if turn % 2 else (1, 0):
            spent[place] += measure((plain, whole)[place], tape)
    played = turns * TURN
    if strategy.heard - before < played // 3 or len(strategy.middles) < len(STOCKS):
        raise SystemExit(f"{played} pushes were played and the strategy heard {strategy.heard - before} quotes")
    return {
        "pushes": played,
        "quotes_heard": strategy.heard - before,
        "bytes_a_push": sum(map(len, tape)) / TURN,
        "bare_us": spent[0] / played * 1e6,
        "ours_us": spent[1] / played * 1e6,
        "ratio": spent[1] / spent[0],
        "bound_ratio": BOUND_RATIO,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="20,000 pushes instead of 200,000")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = run(20_000 if options.short else 200_000)
    if options.json:
        print(json.dumps({name: round(value, 2) for name, value in figures.items()}))
        return
    for name, value in figures.items():
        print(f"{name:14} {value:10.2f}")


if __name__ == "__main__":
    main()
