"""Files that appear whole or not at all, and folders that one process owns."""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from caregrid.disk import sync_folder
from caregrid.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

_LOCK_NAME: Final = "lock"
_ZEROS: Final = bytes(64 * 1024)


def write_atomically(path: Path, content: bytes, *, part_folder: Path | None = None) -> None:
    """Write a file so that after any crash it is there whole or not at all.

    `part_folder` takes the unfinished file; it must be on the same file system. Default: beside the target.
    Blocks of zero bytes at the end become a hole, which takes no disk.
    """
    part = (part_folder or path.parent) / f".{secrets.token_hex(8)}.part"
    try:
        with part.open("xb") as file:
            file.write(content[: _end_without_zero_blocks(content)])
            file.truncate(len(content))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def stamp_of(path: Path) -> tuple[int, int] | None:
    """Return what changes whenever a file is written anew; None when there is no file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_ino, found.st_mtime_ns)


def write_all(descriptor: int, content: bytes, place: int) -> None:
    """Write bytes at a place of a file; on a disk that is nearly full one request writes only some of them.

    Raises:
        OSError: they could not all be written.
    """
    view = memoryview(content)
    while view:
        written = os.pwrite(descriptor, view, place)
        view, place = view[written:], place + written


def clear_folder(path: Path) -> None:
    """Make a folder that holds no files, whatever an earlier process left in it."""
    path.mkdir(parents=True, exist_ok=True)
    for leftover in path.iterdir():
        leftover.unlink()


@contextmanager
def own_folder(root: Path) -> Iterator[None]:
    """Hold a folder for this process, until it ends in whatever way.

    Raises:
        ConfigInvalid: another process holds it.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / _LOCK_NAME).open("a+b") as lock:
        if not _lock(lock):
            raise ConfigInvalid(f"another process uses the folder {root}; stop it or choose another folder")
        lock.truncate(0)
        lock.write(str(os.getpid()).encode())
        lock.flush()
        yield


def owner_of(root: Path) -> int | None:
    """Return the id of the living process that holds the folder, or None."""
    try:
        with (root / _LOCK_NAME).open("r+b") as lock:
            return None if _lock(lock) else int(lock.read())
    except FileNotFoundError:
        return None


def _end_without_zero_blocks(content: bytes) -> int:
    end = len(content)
    while end >= len(_ZEROS) and content[end - len(_ZEROS) : end] == _ZEROS:
        end -= len(_ZEROS)
    return end


def _lock(lock: BinaryIO) -> bool:
    # A record lock: a forked child does not inherit it.
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
