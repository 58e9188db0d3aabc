"""Files that several processes append lines to, and that are set aside when they are large.

The standard library's rotating handler knows of one process only: of two, one would write on into the file
that the other has set aside, or set its fresh one aside.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file and those set aside: `NAME.1` is the youngest of them."""

    path: Path
    max_bytes: int
    keep: int

    def append(self, line: str) -> None:
        """Append a line; a file that would grow too large is set aside first. Blocks."""
        with self.held():
            self.append_held(line.encode() + b"\n")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the files for this process; one that dies lets go."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def append_held(self, data: bytes, *, durable: bool = False) -> None:
        """Append bytes while the files are held."""
        if self.size() and self.size() + len(data) > self.max_bytes:
            self._set_aside()
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            _write_all(handle, data)
            if durable:
                os.fsync(handle)
        finally:
            os.close(handle)

    def size(self) -> int:
        """Return the file's length in bytes; 0 where there is none."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def files(self) -> list[Path]:
        """Return all files, the oldest first."""
        aside = [self._aside(number) for number in range(self.keep, 0, -1)]
        return [path for path in [*aside, self.path] if path.exists()]

    def _aside(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _set_aside(self) -> None:
        for number in range(self.keep - 1, 0, -1):
            if self._aside(number).exists():
                self._aside(number).replace(self._aside(number + 1))
        self.path.replace(self._aside(1))


def _write_all(handle: int, data: bytes) -> None:
    begun = os.lseek(handle, 0, os.SEEK_END)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(handle, left) :]
    except OSError:
        os.ftruncate(handle, begun)  # a full disk leaves no half of a line
        raise
