"""``[journal]`` of a config: a file or a PostgreSQL server, and never a password."""

import os
from pathlib import Path

import pytest

from engine.domain.errors import ConfigError
from engine.journal.postgres import PostgresJournal
from engine.runtime.journal_settings import JournalTable, address_of
from engine.runtime.live_settings import open_journal
from engine.runtime.settings import Settings, load_settings
from tests.cli_builders import ROOT, Shell
from tests.journal_builders import a_record, a_run, address_for, postgres_at, records
from tests.postgres_server import the_server

URL = "postgresql://trader@db.example:5432/sluice"


def with_journal(folder: Path, journal: str) -> Settings:
    """The settings of a small config with that ``[journal]``."""
    (folder / "instruments.toml").write_text("")
    config = folder / "live.toml"
    config.write_text(f'[run]\nname = "t"\ndata_dir = "{folder}/run"\nprofile = "backtest"\n[journal]\n{journal}\n')
    return load_settings(config)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def test_a_file_is_the_default_and_a_url_is_enough(tmp_path: Path) -> None:
    """What the config says is told to people without the url's query."""
    plain = with_journal(tmp_path, "")
    assert (plain.journal.kind, plain.journal_place) == ("sqlite", f"{tmp_path}/run/journal.sqlite3")
    there = with_journal(tmp_path, f'url = "{URL}?sslmode=require"\nschema = "desk_two"')
    assert (there.journal.kind, there.journal.away_seconds) == ("postgres", 2.0)
    assert there.journal_place == f"{URL}, schema desk_two"


@pytest.mark.parametrize(
    ("journal", "told"),
    [
        (f'kind = "sqlite"\nurl = "{URL}"', "kind says"),
        (f'path = "x.sqlite3"\nurl = "{URL}"', "remove path or url"),
        ('kind = "postgres"', "begin it with postgresql://"),
        ('url = "mysql://h/db"', "begin it with postgresql://"),
        ('url = "postgresql://u:hunter2@h/db"', "set SLUICE_PG_PASSWORD"),
        ('url = "postgresql://u@h/db?pass%77ord=hunter2"', "set SLUICE_PG_PASSWORD"),
        ('url = "postgresql://[u@h/hunter2"', "is no url"),
        (f'url = "{URL}"\npassword = "hunter2"', "secrets are not kept in files"),
        (f'url = "{URL}"\naway_seconds = 0', "away_seconds"),
    ],
)
def test_what_can_not_be_is_one_sentence(tmp_path: Path, journal: str, told: str) -> None:
    """With the place and the mend, and without the password."""
    with pytest.raises(ConfigError, match=told) as refusal:
        with_journal(tmp_path, journal)
    assert "hunter2" not in str(refusal.value)
    assert "[journal]" in str(refusal.value) or "journal." in str(refusal.value)


def test_the_password_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    """A file goes first where one is named; a missing one is told."""
    environ = {"SLUICE_PG_PASSWORD": "open", "OTHER": "sesame"}
    assert address_of(JournalTable(url=URL), environ, "c").password == "open"
    assert address_of(JournalTable(url=URL, password_env="OTHER"), environ, "c").password == "sesame"
    assert address_of(JournalTable(url=URL), {}, "c").password == ""
    (tmp_path / "word").write_text("from-file\nnothing else\n")
    assert address_of(JournalTable(url=URL, password_file=str(tmp_path / "word")), environ, "c").password == "from-file"
    with pytest.raises(ConfigError, match="password_file"):
        address_of(JournalTable(url=URL, password_file=str(tmp_path / "none")), environ, "c")


def test_the_journal_of_a_config_is_opened_on_the_server(tmp_path: Path) -> None:
    """By the one function that opens a run's journal; its sentinel is beside the run's files."""
    address = address_for(tmp_path)
    settings = with_journal(tmp_path, f'url = "{address.url}"\nschema = "{address.schema}"\naway_seconds = 0.5')
    opened = open_journal(settings, {})
    assert isinstance(opened, PostgresJournal)
    assert opened.away_seconds == 0.5
    opened.append(a_record(1))
    with pytest.raises(ConfigError, match=f"in use by .*process {os.getpid()}"):
        open_journal(settings, {})
    opened.close()
    assert not (tmp_path / "run" / "journal.halt").exists()


def test_report_reads_a_server_by_url_or_by_config(shell: Shell, tmp_path: Path) -> None:
    """While an engine holds it; a url with a password is refused and not repeated."""
    address = address_for(tmp_path)
    opened = postgres_at(address, inline=True)
    with_journal(tmp_path, f'url = "{address.url}"\nschema = "{address.schema}"')
    said = shell("report", tmp_path / "live.toml")
    assert (said.code, "holds no run" in said.err) == (2, True)
    for record in (a_run(), *records(10)):
        opened.append(record)
    opened.append(a_record(1))
    for args in ((address.url, "--schema", address.schema), (tmp_path / "live.toml",)):
        said = shell("report", *args, "--json")
        assert said.code == 0, said.err
        assert said.json["mode"] == "test"
    opened.close()
    said = shell("report", address.url.replace("sluice@", "sluice:hunter2@"))
    assert (said.code, "SLUICE_PG_PASSWORD" in said.err, "hunter2" in said.err) == (2, True, False)
    said = shell("report", the_server().url(), "--schema", "never_written")
    assert (said.code, "is not there" in said.err) == (2, True)


def test_a_demo_wants_a_file(shell: Shell, tmp_path: Path) -> None:
    """It begins with an empty journal, and a database is not its to empty."""
    config = tmp_path / "demo.toml"
    config.write_text(f'{(ROOT / "config/demo.toml").read_text()}\n[journal]\nurl = "{URL}"\n')
    (tmp_path / "instruments.toml").write_text((ROOT / "config/instruments.toml").read_text())
    said = shell("demo", "--config", config, "--seconds", "1")
    assert (said.code, "remove url" in said.err) == (2, True), said.err
