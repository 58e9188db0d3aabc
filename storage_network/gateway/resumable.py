"""Uploads in several requests, which go on where they were cut: by the client, the network or a crash."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from weakref import WeakValueDictionary

from aiohttp import web

from caregrid.disk import sync_folder
from storage_network import files
from storage_network.gateway.envelope import GatewayError
from storage_network.gateway.spool import next_piece

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from storage_network.gateway.uploads import Upload, UploadList

#: Bytes received between two notes of what is durable; a crash loses at most so much.
NOTE_EVERY: Final = 16 * 1024 * 1024
#: A request for an upload that another request is filling waits this long.
TURN_TIMEOUT_S: Final = 30.0

_CHUNK: Final = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", re.ASCII)
_QUESTION: Final = re.compile(r"bytes \*/(\d{1,15})", re.ASCII)
_ILLEGAL: Final = "Illegal Content-Range content"


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """The part of an upload that one request brings."""

    start: int
    end: int  #: first byte after it
    total: int

    @property
    def is_last(self) -> bool:
        """Whether the upload ends with it."""
        return self.end == self.total


def chunk_of(text: str | None) -> Chunk:
    """Return what a `Content-Range` header announces.

    Raises:
        GatewayError: it is missing or makes no sense.
    """
    if text is None:
        raise GatewayError(400, "Content-Range is missing from the request header")
    match = _CHUNK.fullmatch(text)
    if match is None:
        raise GatewayError(400, _ILLEGAL)
    first, last, total = (int(group) for group in match.groups())
    if not first <= last < total:
        raise GatewayError(400, _ILLEGAL)
    return Chunk(start=first, end=last + 1, total=total)


def total_of(text: str | None) -> int:
    """Return the size that `Content-Range: bytes */T` names; errors as `chunk_of`."""
    match = _QUESTION.fullmatch(text or "")
    if match is None:
        raise GatewayError(400, _ILLEGAL)
    return int(match[1])


def upload_id(account: bytes, name: str, total: int) -> bytes:
    """Return the id of an upload: of one account, name and size there is one at a time."""
    return hashlib.sha256(b"\0".join((account, name.encode(), str(total).encode()))).digest()


class ResumableUploads:
    """The gateway's unfinished uploads: a file each, and a list of how much of each is durable."""

    def __init__(self, folder: Path, known: UploadList) -> None:
        self._folder, self._known = folder, known
        self._turns = WeakValueDictionary[bytes, asyncio.Lock]()

    def clear(self) -> None:
        """Delete the files of which nothing is known; blocks on the disk."""
        self._folder.mkdir(exist_ok=True)
        unfinished = {each.hex() for each in self._known.unfinished()[0]}
        for path in self._folder.iterdir():
            if path.name not in unfinished:
                path.unlink()

    @asynccontextmanager
    async def turn(self, upload: bytes) -> AsyncIterator[None]:
        """Hold an upload alone.

        Raises:
            GatewayError: another request holds it for too long.
        """
        lock = self._turns.setdefault(upload, asyncio.Lock())
        try:
            async with asyncio.timeout(TURN_TIMEOUT_S):
                await lock.acquire()
        except TimeoutError:
            raise GatewayError(503, "server busy") from None
        try:
            yield
        finally:
            lock.release()

    async def find(self, upload: bytes) -> Upload | None:
        """Return what is known of an upload."""
        return await asyncio.to_thread(self._known.find, upload)

    async def begin(self, upload: Upload) -> None:
        """Note a new upload and make its file."""
        await asyncio.to_thread(self._known.begin, upload, time.time())
        await asyncio.to_thread(self._make, upload.id)

    async def receive(self, request: web.Request, upload: Upload, chunk: Chunk) -> None:
        """Append what of the request's body is not held yet; on return it is durable.

        Raises:
            GatewayError: the body is longer or shorter than announced; what came of it is kept.
        """
        _require_length(request, chunk)
        place = chunk.start
        with await asyncio.to_thread(_Tail, self._path(upload.id), upload.held) as tail:
            try:
                while place < chunk.end and (piece := await next_piece(request.content)):
                    piece = piece[: chunk.end - place]
                    await asyncio.to_thread(tail.take, piece, place)
                    place += len(piece)
                    if tail.unsynced >= NOTE_EVERY:
                        await self._note(upload.id, tail)
            except (ConnectionError, TimeoutError, web.RequestPayloadError) as exc:
                raise GatewayError(400, "Failed to receive data") from exc
            finally:
                await self._note(upload.id, tail)
        if place < chunk.end:
            raise GatewayError(400, "received less file content")
        if await next_piece(request.content):
            raise GatewayError(400, "received more file content")

    async def pass_over(self, request: web.Request, chunk: Chunk) -> None:
        """Read the body of a chunk that is held already, so that the connection stays usable.

        Raises:
            GatewayError: the body is longer than announced, or broke off.
        """
        left = chunk.end - chunk.start
        try:
            while left >= 0 and (piece := await next_piece(request.content)):
                left -= len(piece)
        except (ConnectionError, TimeoutError, web.RequestPayloadError) as exc:
            raise GatewayError(400, "Failed to receive data") from exc
        if left < 0:
            raise GatewayError(400, "received more file content")

    async def finish(self, upload: Upload, fid: bytes) -> None:
        """Note what an upload has become, and delete its file."""
        await asyncio.to_thread(self._known.finish, upload, fid, time.time())
        await asyncio.to_thread(self._path(upload.id).unlink, missing_ok=True)

    async def forget(self, upload: bytes) -> None:
        """Forget an upload and delete its file."""
        await asyncio.to_thread(self._known.forget, upload)
        await asyncio.to_thread(self._path(upload).unlink, missing_ok=True)

    async def sweep(self) -> int:
        """Delete what nobody has touched for too long, and return how many uploads that were."""
        swept = await asyncio.to_thread(self._known.sweep, time.time())
        for upload in swept:
            await asyncio.to_thread(self._path(upload).unlink, missing_ok=True)
        return len(swept)

    def path(self, upload: bytes) -> Path:
        """Return the file that holds an upload's bytes."""
        return self._path(upload)

    async def _note(self, upload: bytes, tail: _Tail) -> None:
        await asyncio.to_thread(tail.sync)
        await asyncio.to_thread(self._known.advance, upload, tail.held, time.time())

    def _make(self, upload: bytes) -> None:
        self._path(upload).write_bytes(b"")
        sync_folder(self._folder)

    def _path(self, upload: bytes) -> Path:
        return self._folder / upload.hex()


class _Tail:
    """The end of an upload's file; what is held before it is never written again."""

    def __init__(self, path: Path, held: int) -> None:
        self.held, self.unsynced = held, 0
        # A full disk, or a crash, can have kept the file from being made when the upload was noted.
        self._file = path.open("r+b" if held or path.exists() else "x+b", buffering=0)
        self._file.truncate(held)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def take(self, piece: bytes, place: int) -> None:
        fresh = piece[max(0, self.held - place) :]
        files.write_all(self._file.fileno(), fresh, self.held)
        self.held += len(fresh)
        self.unsynced += len(fresh)

    def sync(self) -> None:
        os.fsync(self._file.fileno())
        self.unsynced = 0


def _require_length(request: web.Request, chunk: Chunk) -> None:
    given, announced = request.content_length, chunk.end - chunk.start
    if given is not None and given != announced:
        raise GatewayError(400, f"received {'more' if given > announced else 'less'} file content")
