"""An upload on the gateway's disk: received whole, and hashed, before any of it goes to a node."""

from __future__ import annotations

import asyncio
import os
import secrets
from typing import TYPE_CHECKING, Final, Self

from aiohttp import web

from caregrid.storage.file_id import SEGMENT_SIZE, FileIdHasher, file_id_of_segments
from storage_network import files
from storage_network.gateway.envelope import GatewayError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import aiohttp

#: A client that sends nothing for this long is gone.
BODY_STALL_TIMEOUT_S: Final = 60.0

_WRITE_SIZE: Final = 1024 * 1024


class Spool:
    """A temporary file that takes one request body; it is deleted on exit."""

    def __init__(self, folder: Path, *, max_size: int) -> None:
        self._path = folder / secrets.token_hex(16)
        self._hasher = FileIdHasher()
        self._max_size = max_size

    def __enter__(self) -> Self:
        self._file = self._path.open("x+b", buffering=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._path.unlink()

    @property
    def size(self) -> int:
        """Bytes received."""
        return self._hasher.size

    async def receive(self, request: web.Request) -> None:
        """Take a request's whole body.

        Raises:
            GatewayError: it is empty, cut short, or longer than allowed.
        """
        self._require_size(request.content_length or 0)
        await self.take(pieces_of(request.content))
        if request.content_length not in {None, self.size}:
            raise GatewayError(400, "network error")

    async def take(self, pieces: AsyncIterator[bytes]) -> None:
        """Take pieces to their end; errors as `receive`."""
        try:
            async for data in pieces:
                self._require_size(self.size + len(data))
                await asyncio.to_thread(self._write, data)
        except (ConnectionError, TimeoutError, ValueError, web.RequestPayloadError) as exc:
            raise GatewayError(400, "network error") from exc
        if self.size == 0:
            raise GatewayError(400, "the body is empty; there is nothing to store")

    def segments(self) -> tuple[bytes, list[bytes]]:
        """Return the file id and the hash of every segment; takes milliseconds, for the padding."""
        segments = self._hasher.segments()
        return file_id_of_segments(segments), segments

    def read_segment(self, number: int, room: memoryview) -> int:
        """Read one segment, the last one without its padding, and return its length; blocks on the disk."""
        length = min(SEGMENT_SIZE, self.size - number * SEGMENT_SIZE)
        done = 0
        while done < length:
            got = os.preadv(self._file.fileno(), [room[done:length]], number * SEGMENT_SIZE + done)
            if got == 0:
                raise EOFError("an upload's file was cut short on the gateway's disk")
            done += got
        return length

    def _write(self, data: bytes) -> None:
        files.write_all(self._file.fileno(), data, self.size)
        self._hasher.update(data)

    def _require_size(self, size: int) -> None:
        if size > self._max_size:
            text = f"the object is larger than the gateway's limit of {self._max_size} bytes"
            raise GatewayError(413, text, {"limit": self._max_size})


class HeldSpool(Spool):
    """An upload whose bytes lie in a file already; the file stays."""

    def __init__(self, path: Path, *, max_size: int) -> None:
        super().__init__(path.parent, max_size=max_size)
        self._path = path

    def __enter__(self) -> Self:
        self._file = self._path.open("rb", buffering=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def hash(self) -> None:
        """Read the file once, for its file id; blocks on the disk."""
        while data := self._file.read(_WRITE_SIZE):
            self._hasher.update(data)


async def pieces_of(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield a body in pieces; errors as `next_piece`."""
    while data := await next_piece(content):
        yield data


async def next_piece(content: aiohttp.StreamReader) -> bytes:
    """Return the next bytes of a body, about 1 MiB; empty at its end.

    When the connection breaks, what came before is returned first.

    Raises:
        TimeoutError: nothing came for too long.
        ConnectionError: the connection broke.
    """
    piece = bytearray()
    while len(piece) < _WRITE_SIZE:
        try:
            async with asyncio.timeout(BODY_STALL_TIMEOUT_S):
                data = await content.readany()
        except (ConnectionError, web.RequestPayloadError):
            if piece:
                break
            raise
        if not data:
            break
        piece += data
    return bytes(piece)
