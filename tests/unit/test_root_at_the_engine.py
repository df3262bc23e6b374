"""Root installs the daemon and stops it too, though the engine runs as a user of its own."""

import os
from pathlib import Path

import pytest

from engine.clock import LiveClock
from engine.control.api.tokens import read_private
from engine.domain.errors import ConfigError
from engine.runtime.operator_commands import Kill
from engine.runtime.operator_inbox import ask

pytestmark = pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="gives files to other users")
ENGINE, STRANGER = 10001, 10002


def of(user: int, path: Path, *, mode: int = 0o600) -> Path:
    path.write_bytes(b"word\n")
    path.chmod(mode)
    os.chown(path, user, user)
    return path


async def test_what_root_asks_for_is_the_engines_to_read(tmp_path: Path) -> None:
    """A kill by root is a file of the inbox's owner: the engine takes nobody else's."""
    os.chown(tmp_path, ENGINE, ENGINE)
    owners: list[tuple[int, int]] = []

    class Looking(LiveClock):
        async def sleep(self, duration_ns: int) -> None:
            found = next(tmp_path.glob("*.request")).stat()  # noqa: ASYNC240
            owners.append((found.st_uid, found.st_mode & 0o777))
            await super().sleep(duration_ns)

    assert await ask(tmp_path, Kill(scope="all", level="halt", reason="drill"), Looking(), 0.05) is None
    assert set(owners) == {(ENGINE, 0o600)}
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240


def test_root_reads_the_token_of_the_runs_owner_and_nobody_elses(tmp_path: Path) -> None:
    """The data directory says whose run it is; a stranger's file, an open one and a link are refused."""
    os.chown(tmp_path, ENGINE, ENGINE)
    assert read_private(of(ENGINE, tmp_path / "token"), tmp_path) == b"word\n"
    assert read_private(of(0, tmp_path / "own"), tmp_path) == b"word\n"
    with pytest.raises(ConfigError, match="another user"):
        read_private(of(STRANGER, tmp_path / "strangers"), tmp_path)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_private(of(ENGINE, tmp_path / "open", mode=0o640), tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "own")
    with pytest.raises(OSError, match="link"):
        read_private(tmp_path / "link", tmp_path)


def test_another_user_reads_its_own_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is not root gains nothing from owning the data directory."""
    os.chown(tmp_path, ENGINE, ENGINE)
    monkeypatch.setattr(os, "getuid", lambda: STRANGER)
    assert read_private(of(STRANGER, tmp_path / "own"), tmp_path) == b"word\n"
    with pytest.raises(ConfigError, match="another user"):
        read_private(of(ENGINE, tmp_path / "engines"), tmp_path)
