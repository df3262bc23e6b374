"""A secret is nowhere to be seen: not as text, not in a config, a journal, a log or a list of processes."""

import copy
import json
import logging
import os
import pickle
import sys
import traceback
import types
from pathlib import Path

import msgspec
import pytest

from engine.domain.errors import ConfigError
from engine.domain.secret import Secret
from engine.runtime.secret_sources import is_reference, resolve, with_secrets
from engine.runtime.settings import load_settings
from tests.cli_builders import CONFIG, ROOT, a_config

CANARY = "canary-7d1f0b"


def test_every_way_to_text_gives_stars(caplog: pytest.LogCaptureFixture) -> None:
    """repr, str, formats, joins, JSON, pickles, copies of structures, logs."""
    secret = Secret(CANARY)
    seen = [
        repr(secret), str(secret), f"{secret}", f"{secret!r:>9}", f"{secret:>12}", "%s" % secret, "{}".format(secret),  # noqa: UP031, UP032
        secret + "", "".join([secret]), secret.upper(), repr({"a": [secret]}), json.dumps({"a": secret}),
        str(pickle.dumps(secret)), str(secret.encode()), repr(copy.deepcopy([secret])),
    ]  # fmt: skip
    logging.getLogger("x").warning("login with %s and %r", secret, secret)
    seen.append(caplog.text)
    assert not any(CANARY in text for text in seen)
    assert secret.reveal() == CANARY
    assert pickle.loads(pickle.dumps(secret)).reveal() == "***"
    with pytest.raises(TypeError):
        msgspec.json.encode(secret)


def test_a_traceback_with_locals_shows_stars() -> None:
    """What shows the values of variables shows no word."""

    def login() -> None:
        secret = Secret(CANARY)
        raise ValueError(f"no {secret}")

    try:
        login()
    except ValueError:
        shown = "".join(traceback.TracebackException(*sys.exc_info(), capture_locals=True).format())  # type: ignore[arg-type]
    assert "***" in shown
    # The line of source that makes it is the test's own.
    assert CANARY not in shown.replace("CANARY", "")


def test_secrets_are_compared_as_words_and_never_with_the_stars() -> None:
    """Two of one word are equal, two others are not, and no text is equal to one."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "***"
    assert Secret("a") != "a"
    assert not Secret("")


def test_a_file_is_read_only_if_it_is_its_owners_alone(tmp_path: Path) -> None:
    """0600 and 0400 are; a bit for anybody else, a link, a folder, an empty file are refused, by name of the file."""
    path = tmp_path / "word"
    path.write_text(f"{CANARY}\nsecond line\n", encoding="utf-8")
    for mode in (0o600, 0o400):
        path.chmod(mode)
        assert resolve(f"file:{path}", {}, "here").reveal() == CANARY
    for mode in (0o640, 0o604, 0o660, 0o644, 0o601):
        path.chmod(mode)
        with pytest.raises(ConfigError, match="others may read") as refused:
            resolve(f"file:{path}", {}, "here")
        assert CANARY not in str(refused.value)
    path.chmod(0o600)
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(ConfigError, match="no link"):
        resolve(f"file:{link}", {}, "here")
    with pytest.raises(ConfigError, match="is no file"):
        resolve(f"file:{tmp_path}", {}, "here")
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="is empty"):
        resolve(f"file:{path}", {}, "here")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readable or not: who owns it could have written anything into it."""
    path = tmp_path / "word"
    path.write_text(CANARY, encoding="utf-8")
    path.chmod(0o600)
    os.chown(path, 12345, 12345)
    with pytest.raises(ConfigError, match="somebody else"):
        resolve(f"file:{path}", {}, "here")


def test_the_environment_and_the_keyring_are_places_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """``env:`` must be set; ``keyring:`` asks the library, which is an extra."""
    assert resolve("env:WORD", {"WORD": CANARY}, "here").reveal() == CANARY
    with pytest.raises(ConfigError, match="WORD is not set"):
        resolve("env:WORD", {}, "here")
    fake, errors = types.ModuleType("keyring"), types.ModuleType("keyring.errors")
    errors.KeyringError = type("KeyringError", (Exception,), {})  # type: ignore[attr-defined]
    fake.errors = errors  # type: ignore[attr-defined]
    fake.get_password = lambda service, user: CANARY if (service, user) == ("sluice", "me") else None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", fake)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    assert resolve("keyring:sluice/me", {}, "here").reveal() == CANARY
    with pytest.raises(ConfigError, match="nothing for sluice/you"):
        resolve("keyring:sluice/you", {}, "here")
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match=r"sluice\[keyring\]"):
        resolve("keyring:sluice/me", {}, "here")


@pytest.mark.parametrize("text", [CANARY, "", "env:", "file", "http://x", "vault:x"])
def test_a_word_where_a_place_is_asked_for_is_refused_unseen(text: str) -> None:
    """The sentence says how to write it, and has no part of what was written."""
    assert not is_reference(text)
    with pytest.raises(ConfigError, match="a secret is not written here") as refused:
        resolve(text, {}, "here")
    assert CANARY not in str(refused.value)


def test_a_config_may_say_where_a_secret_is_and_not_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``[secrets]`` takes places; a word is refused at reading; the gateways find the words in their environment."""
    monkeypatch.chdir(ROOT)
    path = tmp_path / "word"
    path.write_text(CANARY, encoding="utf-8")
    path.chmod(0o600)
    settings = load_settings(a_config(tmp_path, f'{CONFIG}\n[secrets]\nSLUICE_VM_PASSWORD = "file:{path}"\n'))
    assert CANARY not in repr(settings)
    environ = with_secrets({"HOME": "/"}, settings.alone.secrets, "config")
    assert environ == {"HOME": "/", "SLUICE_VM_PASSWORD": CANARY}
    with pytest.raises(ConfigError, match="secrets are not kept in files") as refused:
        load_settings(a_config(tmp_path, f'{CONFIG}\n[secrets]\nSLUICE_VM_PASSWORD = "{CANARY}"\n'))
    assert CANARY not in str(refused.value)
