"""Which simulators ``simulate`` serves, and on which ports."""

from pathlib import Path

import pytest

from engine.clock import LiveClock
from engine.control.cli_simulate import faces_and_ports, playing, served_at, simulators
from engine.domain.errors import ConfigError
from engine.domain.timestamps import parse_time
from engine.entropy import Entropy
from engine.simulators import PORTS, SIMULATORS


def test_all_is_every_simulator_on_its_documented_port() -> None:
    """``all`` names each once and in the order of ``SIMULATORS``; each has a default port of its own."""
    chosen = faces_and_ports(["all"])
    assert list(chosen) == list(SIMULATORS)
    ports = served_at(chosen, None)
    assert ports == {name: PORTS[name] for name in SIMULATORS}
    assert len(set(ports.values())) == len(ports)
    assert 0 not in ports.values()


def test_ports_are_settable_one_by_one_and_in_a_row() -> None:
    """``NAME=PORT`` is that one's, ``--port`` counts on from the first, 0 takes any."""
    assert served_at(faces_and_ports(["stream", "amazingdata=9000"]), None) == {"stream": 8801, "amazingdata": 9000}
    assert served_at(faces_and_ports(["stream", "amazingdata"]), 7000) == {"stream": 7000, "amazingdata": 7001}
    assert served_at(faces_and_ports(["all", "stream=5"]), 0) == {name: 5 * (name == "stream") for name in SIMULATORS}
    for text in ("stream=x", "stream=", "stream=70000", "stream=-1"):
        with pytest.raises(ConfigError, match="names no port"):
            faces_and_ports([text])


def test_settings_reach_the_face_they_name() -> None:
    """A bare key is the first's, ``NAME.key`` the named one's; a key nobody takes is refused."""
    overrides = {"lock_minutes": 5, "amazingdata": {"gaps": 0.5}}
    made = simulators(["virtual_market", "amazingdata"], None, overrides, 3)
    assert (made["virtual_market"].lock_minutes, made["amazingdata"].gaps) == (5, 0.5)  # type: ignore[attr-defined]
    assert made["virtual_market"].seed == 3  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="gap"):
        simulators(["virtual_market", "amazingdata"], None, {"amazingdata": {"gap": 0.5}}, None)


def test_a_file_of_bars_is_the_prices_of_the_market(tmp_path: Path) -> None:
    """``--data CY=cy.csv``: at the time of a bar its close is the price, on whichever face; wrong texts are refused."""
    rows = [
        f"2026-03-02 10:{minute:02d}:00,{price},{price},{price},{price},100" for minute, price in ((5, 41), (10, 43))
    ]
    path = tmp_path / "cy.csv"
    path.write_text("\n".join(["time,open,high,low,close,volume", *rows]) + "\n", encoding="utf-8")
    clock = LiveClock(start_ns=parse_time("2026-03-02T10:06:00+08:00"))
    made = simulators(["virtual_market"], None, {}, 3)
    market = playing(made, [f"CY={path}"], clock, Entropy(3))
    stock = market.stock("CY")
    assert stock is not None
    assert stock.price == 41
    later_ns = parse_time("2026-03-02T10:11:00+08:00")
    market.advance(later_ns)
    assert stock.price == 43
    for text in ("CY", "=x.csv", "CY="):
        with pytest.raises(ConfigError, match="write CODE=FILE"):
            playing(simulators(["virtual_market"], None, {}, 3), [text], clock, Entropy(3))
    with pytest.raises(ConfigError, match="name virtual_market first"):
        playing(simulators(["stream"], None, {}, 3), [f"CY={path}"], clock, Entropy(3))
