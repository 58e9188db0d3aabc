"""Where the bytes of a download go until they are whole. All of it blocks."""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final, Protocol

from caregrid.disk import AtomicFile, full_disk_named, sync_folder
from caregrid.errors import Conflict, FileIdMismatch
from caregrid.storage._files import open_private
from caregrid.storage.file_id import SEGMENT_SIZE, FileIdHasher, file_id_of_segments

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

_READ_SIZE: Final = 1024 * 1024


class Arrivals(Protocol):
    """A file that grows until it is an object."""

    @property
    def size(self) -> int:
        """How many bytes are there, and need not be fetched."""

    def recover(self) -> None:
        """Find out what is there already; to be called once, first."""

    def write(self, data: bytes) -> None:
        """Take the next bytes."""

    def publish(self) -> None:
        """Check the file id, and give the file its name; on another id nothing stays."""

    def close(self) -> None:
        """Release the file; what was not published is dropped, or kept to be resumed."""


class Fresh:
    """Leaves nothing behind when it is closed before it was published."""

    def __init__(self, object_id: bytes, target: Path) -> None:
        self._object_id, self._hasher = object_id, FileIdHasher()
        self._stack = ExitStack()
        self._part = self._stack.enter_context(AtomicFile(target))

    @property
    def size(self) -> int:
        return self._hasher.size

    def recover(self) -> None:
        pass  # it is new

    def write(self, data: bytes) -> None:
        self._part.write(data)
        self._hasher.update(data)

    def publish(self) -> None:
        if self._hasher.finish() != self._object_id:
            raise FileIdMismatch
        self._part.publish()

    def close(self) -> None:
        self._stack.close()


class Resumable:
    """Keeps what arrived in a hidden file beside the target, and a journal of its segments' hashes.

    A segment is noted when it is durable. When the file is opened again, only segments that are noted and
    still have their hash count as there; what comes after them is cut off.

    Raises:
        Conflict: another process has the file open.
    """

    def __init__(self, object_id: bytes, target: Path) -> None:
        self._object_id, self._target = object_id, target
        self._path = target.with_name(f".{object_id.hex()}.part")
        self._journal_path = target.with_name(f".{object_id.hex()}.segments")
        self._segments: list[bytes] = []
        self._hasher = FileIdHasher()
        with ExitStack() as stack:
            self._file = stack.enter_context(open_private(self._path))
            _lock(self._file)
            self._journal = stack.enter_context(open_private(self._journal_path))
            self._stack: ExitStack = stack.pop_all()

    @property
    def size(self) -> int:
        return len(self._segments) * SEGMENT_SIZE + self._hasher.size

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            taken = view[: SEGMENT_SIZE - self._hasher.size]
            with full_disk_named():
                self._file.write(taken)
            self._hasher.update(taken)
            view = view[len(taken) :]
            if self._hasher.size == SEGMENT_SIZE:
                self._note_segment()

    def publish(self) -> None:
        if file_id_of_segments([*self._segments, *self._hasher.segments()]) != self._object_id:
            self._drop()
            raise FileIdMismatch
        _sync(self._file)
        self._path.replace(self._target)
        self._journal_path.unlink(missing_ok=True)
        sync_folder(self._target.parent)

    def close(self) -> None:
        with full_disk_named():
            self._stack.close()

    def recover(self) -> None:
        noted = self._journal.read().splitlines(keepends=True)
        for line in noted:
            digest = self._read_segment()
            if digest is None or line != _line(digest):
                break
            self._segments.append(digest)
        self._cut(self._file, len(self._segments) * SEGMENT_SIZE)
        self._cut(self._journal, len(self._segments) * len(_line(self._object_id)))

    def _read_segment(self) -> bytes | None:
        hasher = hashlib.sha256()
        for _ in range(SEGMENT_SIZE // _READ_SIZE):
            data = self._file.read(_READ_SIZE)
            if len(data) < _READ_SIZE:
                return None
            hasher.update(data)
        return hasher.digest()

    def _note_segment(self) -> None:
        _sync(self._file)
        (digest,) = self._hasher.segments()
        with full_disk_named():
            self._journal.write(_line(digest))
        _sync(self._journal)
        self._segments.append(digest)
        self._hasher = FileIdHasher()

    def _drop(self) -> None:
        self._journal_path.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)

    @staticmethod
    def _cut(file: BinaryIO, size: int) -> None:
        file.truncate(size)
        file.seek(size)


def open_arrivals(object_id: bytes, target: Path, *, resume: bool) -> Arrivals:
    """Return where the bytes of a download go."""
    return Resumable(object_id, target) if resume else Fresh(object_id, target)


def _line(digest: bytes) -> bytes:
    return digest.hex().encode() + b"\n"


def _sync(file: BinaryIO) -> None:
    with full_disk_named():
        file.flush()
        os.fsync(file.fileno())


def _lock(file: BinaryIO) -> None:
    with suppress(ImportError):  # Windows has no such locks
        import fcntl  # noqa: PLC0415 - see above

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                "another download of this object into this folder is under way; wait for it"
            ) from None
