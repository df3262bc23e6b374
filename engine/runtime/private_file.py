"""A small file of ours alone, written so that it is never read half."""

import os
from pathlib import Path


def write_whole(path: Path, body: bytes, *, folders_owner: bool = False) -> None:
    """All of it or nothing, mode 0600, durable; its folder must be there.

    Args:
        folders_owner: what root writes is to be the owner's of its folder.

    Raises:
        OSError: the disk refuses.
    """
    draft = path.with_name(f".{path.name}.draft")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, body)
        os.fsync(handle)
        if folders_owner and hasattr(os, "getuid") and os.getuid() == 0:
            owner = path.parent.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)
    finally:
        os.close(handle)
    draft.replace(path)
