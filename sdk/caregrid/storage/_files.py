from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Self

from caregrid.errors import InputInvalid, InputMissing

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO


def open_source(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as exc:
        raise InputMissing from exc
    except IsADirectoryError as exc:
        raise InputInvalid("this is a directory; give a file") from exc
    except OSError as exc:
        raise InputInvalid(f"the file cannot be opened: {exc.strerror}") from exc


def size_of(source: BinaryIO) -> int:
    return os.fstat(source.fileno()).st_size


def read_whole(path: Path) -> bytes:
    with open_source(path) as source:
        return source.read()


class AtomicFile:
    """A file that appears under its name whole or not at all."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._part = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")

    def __enter__(self) -> Self:
        self._file = self._part.open("xb")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def publish(self) -> None:
        """Make what was written durable and give it its name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._part.replace(self._target)
        sync_directory(self._target.parent)


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
