"""File ids as CESS computes them: SHA-256 over 32 MiB segments, then a binary tree over their hashes.

Source: cess-go-sdk's processing of files, checked against its output. An id covers the zero-padded content
only; name, owner and true size are not in it, so two files of as many segments that differ only by trailing
zero bytes share one id.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from caregrid.errors import InputEmpty
from caregrid.storage import _files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed import ReadableBuffer

#: Bytes of a segment; the last one of a file is padded with zero bytes on the right.
SEGMENT_SIZE: Final = 32 * 1024 * 1024
#: Fragments of a segment that hold its bytes as they are.
DATA_SHARDS: Final = 4
#: Fragments of a segment that hold Reed-Solomon parity.
PARITY_SHARDS: Final = 8
#: Bytes of a fragment.
FRAGMENT_SIZE: Final = SEGMENT_SIZE // DATA_SHARDS
#: The most segments that a file may have on CESS (31.25 GiB).
MAX_SEGMENTS: Final = 1000

_READ_SIZE: Final = 1024 * 1024
_ZEROS: Final = bytes(_READ_SIZE)


class FileIdHasher:
    """Computes a file id from content that comes in pieces of any size; keeps 32 bytes a segment."""

    def __init__(self) -> None:
        self.size = 0  #: bytes taken so far
        self._closed: list[bytes] = []
        self._open = hashlib.sha256()

    def update(self, data: ReadableBuffer) -> None:
        """Take the next bytes of the content."""
        view = memoryview(data).cast("B")
        while view:
            taken = view[: SEGMENT_SIZE - self.size % SEGMENT_SIZE]
            self._open.update(taken)
            self.size += len(taken)
            if self.size % SEGMENT_SIZE == 0:
                self._closed.append(self._open.digest())
                self._open = hashlib.sha256()
            view = view[len(taken) :]

    def segments(self) -> list[bytes]:
        """Return the hash of every segment so far, the last one as if the content ended here."""
        missing = -self.size % SEGMENT_SIZE
        if missing == 0:
            return list(self._closed)
        last = self._open.copy()
        _update_with_zeros(last, missing)
        return [*self._closed, last.digest()]

    def finish(self) -> bytes:
        """Return the 32-byte file id of the content so far.

        Raises:
            InputEmpty: no bytes were given; an empty file has no id.
        """
        return file_id_of_segments(self.segments())


def file_id_of(content: Path | ReadableBuffer) -> bytes:
    """Return the 32-byte file id of a file or of bytes; reads the file in this thread.

    Raises:
        InputEmpty: the content is empty.
        InputMissing: there is no such file.
        InputInvalid: it is a directory or cannot be read.
    """
    hasher = FileIdHasher()
    if isinstance(content, Path):
        _update_from_file(hasher, content)
    else:
        hasher.update(content)
    return hasher.finish()


def file_id_of_segments(segments: Sequence[bytes]) -> bytes:
    """Return the file id of a file from the hashes of its segments, 32 bytes each.

    Raises:
        InputEmpty: there is no segment.
    """
    if not segments:
        raise InputEmpty
    level = _parents(segments)
    while len(level) > 1:
        level = _parents(level)
    return level[0]


def _parents(level: Sequence[bytes]) -> list[bytes]:
    # An odd last node is its own sibling; so is the only segment of a small file.
    padded = [*level, level[-1]] if len(level) % 2 else level
    return [
        hashlib.sha256(left + right).digest() for left, right in zip(padded[::2], padded[1::2], strict=True)
    ]


def _update_with_zeros(digest: hashlib._Hash, count: int) -> None:
    whole, rest = divmod(count, _READ_SIZE)
    for _ in range(whole):
        digest.update(_ZEROS)
    digest.update(_ZEROS[:rest])


def _update_from_file(hasher: FileIdHasher, path: Path) -> None:
    with _files.open_source(path) as source:
        while data := source.read(_READ_SIZE):
            hasher.update(data)
