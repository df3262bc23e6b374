"""A journal's files cut at every byte and with bits flipped: a beginning of what was written, or a refusal (S4).

What is opened must be what was written, record by record, up to some commit. A cut tail may be missing: that is what a
power cut leaves. A refusal names ``--accept-rebuild``, which then gives such a beginning as well.
"""

import random
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from engine.domain.errors import ConfigError, JournalError
from engine.domain.events import JournalRecord
from engine.journal.sqlite import SqliteJournal
from tests.journal_builders import records

COUNT = 48
FRAME = 24 + 4096


class Files:
    """What lies on the disk of an engine that was killed: the file, its write-ahead file, its lock."""

    def __init__(self, folder: Path, *, folded: bool) -> None:
        """``folded``: everything is in the one file, as after a checkpoint."""
        path = folder / "journal.sqlite3"
        journal = SqliteJournal(path, inline=True, group_rows=3)
        self.written: list[JournalRecord] = records(COUNT)
        for record in self.written[: COUNT // 2]:
            journal.append(record)
        journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for record in self.written[COUNT // 2 :]:
            journal.append(record)
        journal._writer.hurry()
        if folded:
            journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert journal.durable_seq == COUNT
        self.main = path.read_bytes()
        self.log = path.with_name("journal.sqlite3-wal").read_bytes()
        journal.abandon()
        self.place = folder / "copy"

    def opened(self, main: bytes, log: bytes | None, lock: bytes = b"") -> str:
        """How these bytes open: "all", "beginning" or "refused"; anything else fails."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        path = self.place / "journal.sqlite3"
        path.write_bytes(main)
        if log is not None:
            path.with_name(f"{path.name}-wal").write_bytes(log)
        if lock:
            path.with_name(f"{path.name}.lock").write_bytes(lock)
        how, said = "opened", "--accept-rebuild"
        try:
            journal = SqliteJournal(path, inline=True)
        except (JournalError, ConfigError) as refusal:
            how, said = "refused", str(refusal)
            journal = SqliteJournal(path, inline=True, accept_rebuild=True)
            assert journal.quarantine is not None
            assert journal.quarantine.exists(), "the damaged file was not kept"
        assert "--accept-rebuild" in said, said
        assert "\n" not in said, said
        kept = [record for _, record in journal.records()]
        assert kept == self.written[: len(kept)], f"{how} with records that were never written"
        assert journal.next_seq == len(kept) + 1
        journal.abandon()
        if how == "refused":
            return how
        return "all" if len(kept) == COUNT else "beginning"


def cuts(files: Files, places: Iterable[int], *, of_log: bool) -> Counter[str]:
    """The file cut at each of these places; what was acknowledged is only lost where the cut itself took it."""
    found: Counter[str] = Counter()
    for place in places:
        how = files.opened(files.main, files.log[:place]) if of_log else files.opened(files.main[:place], None)
        found[how] += 1
    return found


def around(size: int, step: int, near: int) -> list[int]:
    """Every byte near the frames' borders, and each ``step``-th elsewhere."""
    borders = [32 + FRAME * n for n in range((size - 32) // FRAME + 1)]
    close = {border + n for border in borders for n in range(-near, near + 1)}
    return sorted(p for p in close | set(range(0, size, step)) if 0 <= p < size)


def flips(files: Files, count: int, seed: int, *, of_log: bool) -> Counter[str]:
    """One bit flipped at random, each time."""
    draw, found = random.Random(seed), Counter[str]()
    whole = files.log if of_log else files.main
    for _ in range(count):
        place, bit = draw.randrange(len(whole)), draw.randrange(8)
        hurt = bytearray(whole)
        hurt[place] ^= 1 << bit
        how = files.opened(files.main, bytes(hurt)) if of_log else files.opened(bytes(hurt), None)
        if of_log and how == "beginning" and place < 32 + FRAME * last_commit_frame(files.log):
            raise AssertionError(f"bit {bit} of byte {place} made acknowledged commits vanish without a word")
        found[how] += 1
    return found


def last_commit_frame(log: bytes) -> int:
    """Number of the first frame of the last transaction: what is before it had been acknowledged before it began."""
    heads = [log[place : place + 24] for place in range(32, len(log) - FRAME + 1, FRAME)]
    salts = [head[8:16] for head in heads]
    live = [n for n, salt in enumerate(salts) if salt == salts[0]]
    ends = [n for n in live if int.from_bytes(heads[n][4:8], "big")]
    return ends[-2] + 1 if len(ends) > 1 else 0


def test_a_log_cut_near_its_frames_opens_at_a_commit(tmp_path: Path) -> None:
    """A few hundred places of the write-ahead file, every border among them: a beginning, never a refusal."""
    files = Files(tmp_path, folded=False)
    found = cuts(files, around(len(files.log), 1_500, 2), of_log=True)
    assert found["refused"] == 0
    assert found["beginning"] > 50


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    """The one file that a closed journal is, cut: nothing of it opens as if it were whole."""
    files = Files(tmp_path, folded=True)
    found = cuts(files, range(1, len(files.main), 331), of_log=False)
    assert found["all"] == found["beginning"] == 0
    assert found["refused"] > 20


def test_flipped_bits_are_refused_or_hit_nothing(tmp_path: Path) -> None:
    """Some hundred bits of file and log: what opens is what was written; no commit vanishes in the middle."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    in_file = flips(Files(tmp_path / "a", folded=True), 150, 1, of_log=False)
    in_log = flips(Files(tmp_path / "b", folded=False), 150, 2, of_log=True)
    assert in_file["beginning"] == 0
    assert in_file["refused"] > 20
    assert in_log["refused"] > 20


def test_a_log_that_is_missing_is_missed(tmp_path: Path) -> None:
    """The lock of the engine that died names its last durable record; without one a copy is a journal of its own."""
    files = Files(tmp_path, folded=False)
    held = b'{"pid":999999999,"started":"1","durable_seq":%d}' % COUNT
    assert files.opened(files.main, None, held) == "refused"
    assert files.opened(files.main, files.log[: len(files.log) // 2], held) == "refused"
    assert files.opened(files.main, files.log, held) == "all"
    assert files.opened(files.main, None) == "beginning"


def test_a_journal_deleted_by_a_person_is_a_new_one(tmp_path: Path) -> None:
    """A lock that outlived its file holds nobody up."""
    lock = tmp_path / "journal.sqlite3.lock"
    lock.write_bytes(b'{"pid":999999999,"started":"1","durable_seq":7}')
    journal = SqliteJournal(tmp_path / "journal.sqlite3", inline=True)
    assert journal.next_seq == 1
    journal.close()


@pytest.mark.long
def test_a_log_cut_at_every_byte_of_its_last_frames(tmp_path: Path) -> None:
    """Every byte of the last three frames, twelve thousand places."""
    files = Files(tmp_path, folded=False)
    found = cuts(files, range(len(files.log) - 3 * FRAME, len(files.log) + 1), of_log=True)
    print(dict(found))
    assert found["refused"] == 0


@pytest.mark.long
def test_a_file_cut_at_every_byte(tmp_path: Path) -> None:
    """Every byte of the whole file."""
    files = Files(tmp_path, folded=True)
    found = cuts(files, range(1, len(files.main)), of_log=False)
    print(dict(found))
    assert found["all"] == found["beginning"] == 0


@pytest.mark.long
def test_twenty_thousand_flipped_bits(tmp_path: Path) -> None:
    """Half of them in the file, half in the log."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    in_file = flips(Files(tmp_path / "a", folded=True), 10_000, 3, of_log=False)
    in_log = flips(Files(tmp_path / "b", folded=False), 10_000, 4, of_log=True)
    print(dict(in_file), dict(in_log))
    assert in_file["beginning"] == 0
