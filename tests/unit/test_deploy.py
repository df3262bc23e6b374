"""The files under deploy/: what runs is not root, can not write to its own code, and ends in order.

The image is not built here; what is read here is what a person would read.
"""

import itertools
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.control.cli_simulate import faces_and_ports, simulators
from engine.control.options import read_table
from engine.domain.timestamps import MINUTE_NS, duration_ns
from engine.runtime.settings import load_settings
from tests.docs.pages import DOCS, blocks_of

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))


def dockerfile() -> list[tuple[str, str]]:
    """Instructions in order, comments gone, continued lines joined."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [
        (word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines()) if word
    ]


def unit(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def test_the_image_runs_as_nobody_special_over_code_it_can_not_change() -> None:
    """The last stage ends as a numbered user that is not root, and only its own folder is that user's."""
    steps = dockerfile()
    last = max(n for n, (word, _) in enumerate(steps) if word == "FROM")
    users = [rest for word, rest in steps[last:] if word == "USER"]
    assert users == ["10001:10001"]
    assert not any(word == "ADD" for word, _ in steps)
    assert not any("chown" in rest for word, rest in steps if word == "COPY")
    assert not any(re.search(r"(?i)(password|token|secret|key)\s*=", rest) for _, rest in steps)
    assert ("STOPSIGNAL", "SIGTERM") in steps
    # An exec form: a shell between would keep the signal to itself.
    assert all(rest.startswith("[") for word, rest in steps if word in ("ENTRYPOINT", "CMD"))


def test_what_the_image_copies_is_there() -> None:
    """Every file the build names exists, and none is kept from it by .dockerignore."""
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for word, rest in dockerfile():
        if word == "COPY" and "--from" not in rest:
            for name in rest.split()[:-1]:
                assert (ROOT / name).exists(), name
                assert f"!{name}" in ignore, name


def test_compose_gives_a_read_only_root_and_no_rights() -> None:
    """read_only, a user, no capabilities, no new privileges, a memory limit, and time to drain."""
    told: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    service = told["services"]["daemon"]
    assert service["read_only"] is True
    assert service["user"] == "10001:10001"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in service
    assert "privileged" not in service
    assert service["stop_grace_period"] == "90s"
    assert all(":/var/lib/sluice" in volume for volume in service["volumes"])


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_are_hardened(path: Path) -> None:
    """Its own user, a read-only system, no capabilities, no core dumps, no other's files."""
    told = unit(path)
    assert told["User"] == ["sluice"]
    assert told["ProtectSystem"] == ["strict"]
    assert told["CapabilityBoundingSet"] == [""]
    assert told["NoNewPrivileges"] == ["yes"]
    assert told["UMask"] == ["0077"]
    assert told["LimitCORE"] == ["0"]
    assert not any("SECRET" in text or "PASSWORD" in text for text in told["ExecStart"])


def test_the_daemons_unit_watches_it_and_lets_it_drain() -> None:
    """Ready is said by the daemon; SIGHUP reloads; five falls in ten minutes are enough; a wrong config is not tried
    again."""
    told = unit(DEPLOY / "sluice.service")
    assert told["Type"] == ["notify"]
    assert int(told["WatchdogSec"][0]) <= 60
    assert told["ExecReload"] == ["/bin/sh -c 'kill -HUP $MAINPID'"]
    assert int(told["TimeoutStopSec"][0]) > 30
    assert (told["StartLimitBurst"], told["StartLimitIntervalSec"]) == (["5"], ["600"])
    assert told["RestartPreventExitStatus"] == ["2"]


def test_the_simulators_unit_keeps_every_account_where_it_may_write() -> None:
    """Its words are those the command takes; each face that can remember has a file of its own in the state folder."""
    told = unit(DEPLOY / "sluice-paper.service")
    words = shlex.split(told["ExecStart"][0])
    assert words[1:3] == ["simulate", "all"]
    sets = [word for before, word in itertools.pairwise(words) if before == "--set"]
    made = simulators(list(faces_and_ports(["all"])), None, read_table("--set", sets), None)
    places = [getattr(face, "state_path", "none to keep") for face in made.values()]
    assert None not in places
    assert len(set(places) - {"none to keep"}) == len(sets) == 4
    assert told["WorkingDirectory"] == [f"/var/lib/{told['StateDirectory'][0]}"]
    assert not any("/" in place for place in places)


def test_from_zero_to_a_running_daemon_is_ten_commands_at_most() -> None:
    """Those of the page, counted one by one; what they copy is in the project."""
    (block,) = [b for b in blocks_of(DOCS / "daemon.md") if "useradd" in b.text]
    commands = [command for line in block.text.splitlines() for command in line.split("&&")]
    assert 0 < len(commands) <= 10
    assert commands[-1] == "systemctl enable --now sluice"
    for name in re.findall(r"/opt/sluice/((?!venv)\S+)", block.text):
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize("name", ["paper", "live"])
def test_configs_on_the_game_market_wait_for_its_prices(name: str) -> None:
    """They come every five minutes: ready, and silent about them, for twice that."""
    settings = load_settings(ROOT / "config" / f"{name}.toml")
    assert duration_ns(settings.safety.monitors.feed_age) >= 10 * MINUTE_NS


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_takes_the_units_and_finds_little_exposed(path: Path, tmp_path: Path) -> None:
    """``verify`` has nothing against it but that the program is not installed here; exposure is below 3 of 10."""
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    said = [line for line in done.stderr.splitlines() if path.name in line and "is not executable" not in line]
    assert said == []
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(path)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told.stdout)
    if level is None:
        pytest.skip("this systemd can not judge a file offline")
    assert float(level[1]) < 3.0
