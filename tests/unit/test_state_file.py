"""The file in which a simulator remembers: whole or not at all, and each mistake is one sentence."""

from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from engine.domain.errors import ConfigError
from engine.simulators.state_file import read_state_file, write_state_file


class Memory(Struct, frozen=True, forbid_unknown_fields=True):
    saved_ns: int
    words: str


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Nothing before the first time, then what was written last; no path is no memory."""
    path = str(tmp_path / "memory.json")
    assert read_state_file(path, Memory, 0, "the test") is None
    for words in ("one", "two"):
        write_state_file(path, Memory(5, words))
        assert read_state_file(path, Memory, 5, "the test") == Memory(5, words)
    assert read_state_file(None, Memory, 5, "the test") is None
    assert [file.name for file in tmp_path.iterdir()] == ["memory.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"saved_ns": 1}', b'{"saved_ns":1,"words":2}'])
def test_a_file_that_is_none_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    """Whatever is wrong with it: the file, whose state it should be, and the mend."""
    path = tmp_path / "memory.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"memory\.json is no state of the test .*; delete it to begin anew$"):
        read_state_file(str(path), Memory, 5, "the test")


def test_a_file_from_the_future_says_what_to_do(tmp_path: Path) -> None:
    """A clock before the time of writing would live through the same time twice."""
    path = str(tmp_path / "memory.json")
    write_state_file(path, Memory(1_000_000_000, ""))
    with pytest.raises(ConfigError, match=r"memory\.json was written at 1970.*start the clock later, or delete"):
        read_state_file(path, Memory, 999_999_999, "the test")


@pytest.mark.parametrize("broken", ["write_bytes", "replace"])
def test_an_end_in_the_midst_of_writing_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Half of the new one beside it, or all of it, changes nothing for the next reader and the next writer."""
    path = tmp_path / "memory.json"
    write_state_file(str(path), Memory(1, "old"))

    def full(self: Path, *arguments: Any) -> None:
        if broken == "write_bytes":
            with self.open("wb") as half:
                half.write(arguments[0][:7])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, broken, full)
        with pytest.raises(ConfigError, match=r"memory\.json can not be written .*No space left.*give state_path"):
            write_state_file(str(path), Memory(2, "new"))
    assert len(list(tmp_path.iterdir())) == 2
    assert read_state_file(str(path), Memory, 9, "the test") == Memory(1, "old")
    write_state_file(str(path), Memory(3, "newer"))
    assert read_state_file(str(path), Memory, 9, "the test") == Memory(3, "newer")


def test_a_place_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    """A directory that is not there is the user's mistake, told at the start."""
    with pytest.raises(ConfigError, match=r"nowhere/memory\.json can not be written"):
        write_state_file(str(tmp_path / "nowhere" / "memory.json"), Memory(1, ""))
