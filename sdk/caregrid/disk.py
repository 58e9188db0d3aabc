"""Files that appear under their name whole, durable and readable by their owner only, or not at all.

All of it blocks: in async code call it through `asyncio.to_thread`.
"""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self

from caregrid.errors import DiskLow, InputInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class AtomicFile:
    """A new file. `publish` gives it its name, replacing what had it; without that, leaving drops it.

    Raises:
        InputInvalid: its folder does not exist.
        DiskLow: it does not fit; nothing is left behind.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._part = target.with_name(f".{secrets.token_hex(8)}.part")

    def __enter__(self) -> Self:
        try:
            handle = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileNotFoundError as exc:
            raise InputInvalid("the target's folder does not exist; create it first") from exc
        self._file = os.fdopen(handle, "wb")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            with full_disk_named():
                self._file.close()
        finally:
            self._part.unlink(missing_ok=True)

    def write(self, data: bytes) -> int:
        """Write all of the data and return its length."""
        with full_disk_named():
            return self._file.write(data)

    def publish(self) -> None:
        """Make what was written durable and give it its name."""
        with full_disk_named():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._part.replace(self._target)
            sync_folder(self._target.parent)


@contextmanager
def replacing(target: Path) -> Iterator[AtomicFile]:
    """Write a file within the block; it is published when the block ends without an error."""
    with AtomicFile(target) as file:
        yield file
        file.publish()


def sync_folder(folder: Path) -> None:
    """Make the names within a folder durable."""
    if os.name == "nt":  # Windows cannot open a folder, and makes names durable by itself
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def full_disk_named() -> Iterator[None]:
    """Turn the system's word for a full disk into ours.

    Raises:
        DiskLow: there is no room to write.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno in _DISK_FULL:
            raise DiskLow from exc
        raise
