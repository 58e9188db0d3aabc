"""The body of an upload: a part of a file, and what went wrong while it was read."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from caregrid.errors import StorageUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from caregrid.storage._sources import SourceFile
    from caregrid.storage.progress import ProgressMeter


class Body:
    """Bytes of a file from `start` to before `end`; the meter follows what is sent."""

    def __init__(self, file: SourceFile, start: int, end: int, meter: ProgressMeter) -> None:
        self._file, self._start, self._end, self._meter = file, start, end, meter
        self.length = end - start
        self._failure: Exception | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes, once."""
        done = self._start
        try:
            await self._meter.reach(done)
            async for piece in self._file.pieces(self._start, self._end):
                yield piece
                done += len(piece)
                await self._meter.reach(done)
        except Exception as exc:
            self._failure = exc
            raise

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Raise what went wrong with the file or the callback instead of the failed request it led to."""
        try:
            yield
        except StorageUnreachable as exc:
            if self._failure is not None:
                raise self._failure from exc
            raise
