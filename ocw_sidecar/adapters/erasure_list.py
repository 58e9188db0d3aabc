"""The list of erasures, in a file of the home folder beside the database.

A line is written for each: `1 RECORD CHECK`, in hex, with the first 8 bytes of a digest as check. A line that
a crash cut short, or that the disk damaged, is passed over; the next one begins on a line of its own.
"""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING, Final

from caregrid.disk import full_disk_named, sync_folder
from caregrid.errors import DiskLow
from caregrid.records import RECORD_ID_LEN
from ocw_sidecar.pipeline.erasure import ErasureList

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIST_FILE: Final = "erasures.log"

#: A file that has reached this is set aside, and a new one begun: 150,000 erasures.
FILE_LIMIT: Final = 8 << 20
#: Files set aside; what was in older ones only the chain says any more.
KEPT: Final = 7

_TAG: Final = b"caregrid/erasure-list/v1"
_CHECK_LEN: Final = 8
_VERSION: Final = "1"
#: A longer line is none of ours; reading takes no more memory than this.
_MAX_LINE: Final = 256


class ErasureFile(ErasureList):
    """The files; one process writes them, one line at a time."""

    def __init__(self, home: Path, *, limit: int = FILE_LIMIT) -> None:
        self._path, self._limit = home / LIST_FILE, limit
        self._turn = threading.Lock()

    def add(self, record_id: bytes) -> None:
        """Append a line; see `ErasureList.add`."""
        with self._turn, full_disk_named():
            self._make_room()
            fresh = not self._path.exists()
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                _append(handle, _torn(handle) + _line(record_id))
                os.fsync(handle)
            finally:
                os.close(handle)
            if fresh:
                sync_folder(self._path.parent)

    def ids(self) -> Iterator[bytes]:
        """Read all files; see `ErasureList.ids`."""
        for path in [*reversed(self._aside()), self._path]:
            yield from _read(path)

    def is_there(self) -> bool:
        """Look for the file; see `ErasureList.is_there`."""
        return self._path.exists()

    def begin(self) -> None:
        """Make an empty file; see `ErasureList.begin`."""
        with self._turn, full_disk_named():
            os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600))
            sync_folder(self._path.parent)

    def _aside(self) -> list[Path]:
        """Return the files set aside, the youngest first."""
        numbered = [self._path.with_name(f"{LIST_FILE}.{number}") for number in range(1, KEPT + 1)]
        return [path for path in numbered if path.exists()]

    def _make_room(self) -> None:
        if not self._path.exists() or self._path.stat().st_size < self._limit:
            return
        for number in range(KEPT - 1, 0, -1):
            older = self._path.with_name(f"{LIST_FILE}.{number}")
            if older.exists():
                older.replace(self._path.with_name(f"{LIST_FILE}.{number + 1}"))
        self._path.replace(self._path.with_name(f"{LIST_FILE}.1"))


def _line(record_id: bytes) -> bytes:
    return f"{_VERSION} {record_id.hex()} {_check(record_id).hex()}\n".encode()


def _check(record_id: bytes) -> bytes:
    return hashlib.sha256(_TAG + record_id).digest()[:_CHECK_LEN]


def _append(handle: int, line: bytes) -> None:
    if os.write(handle, line) != len(line):
        raise DiskLow


def _torn(handle: int) -> bytes:
    """Return what ends a line that a crash has cut short."""
    size = os.fstat(handle).st_size
    return b"" if size == 0 or os.pread(handle, 1, size - 1) == b"\n" else b"\n"


def _read(path: Path) -> Iterator[bytes]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        while line := file.readline(_MAX_LINE):
            record_id = _parsed(line)
            if record_id is not None:
                yield record_id


def _parsed(line: bytes) -> bytes | None:
    try:
        version, named, check = line.decode("ascii").rstrip("\n").split(" ")
        record_id = bytes.fromhex(named)
    except ValueError:
        return None
    sound = version == _VERSION and len(record_id) == RECORD_ID_LEN and check == _check(record_id).hex()
    return record_id if sound else None
