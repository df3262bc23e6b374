"""A small file of ours alone, written so that it is never read half."""

import os
from pathlib import Path


def write_whole(path: Path, body: bytes) -> None:
    """All of it or nothing, mode 0600, durable; its folder must be there.

    Raises:
        OSError: the disk refuses.
    """
    draft = path.with_name(f".{path.name}.draft")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, body)
        os.fsync(handle)
    finally:
        os.close(handle)
    draft.replace(path)
