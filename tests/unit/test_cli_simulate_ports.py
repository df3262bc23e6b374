"""Which simulators ``simulate`` serves, and on which ports."""

import pytest

from engine.control.cli_simulate import faces_and_ports, served_at, simulators
from engine.domain.errors import ConfigError
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
