"""Objects on CESS through a DeOSS gateway (HTTP API of DeOSS 0.4, and of our own `storage_network`)."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from scalecodec.utils.ss58 import ss58_encode
from yarl import URL

from caregrid.disk import AtomicFile
from caregrid.errors import (
    ConfigInvalid,
    FileIdMismatch,
    InputEmpty,
    InputInvalid,
    InputTooLarge,
    ObjectUnknown,
    ProtocolViolation,
    StorageUnreachable,
)
from caregrid.records import ACCOUNT_LEN
from caregrid.storage import _checks, _envelope, _files
from caregrid.storage.file_id import MAX_SEGMENTS, SEGMENT_SIZE, FileIdHasher
from caregrid.storage.port import ObjectStat, ObjectStore, Placement, Repair

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
    from pathlib import Path
    from typing import BinaryIO, Self

#: A gateway that takes longer to accept a connection is down.
CONNECT_TIMEOUT_S: Final = 5.0
#: A gateway restores a segment from parity in a few seconds; without a byte for this long, it hangs.
STALL_TIMEOUT_S: Final = 60.0
#: What any answer may take beyond the transfer itself: a small object is still coded and spread in full.
ANSWER_TIMEOUT_S: Final = 60.0
#: The slowest transfer that is still waited for, coding and spreading of an upload included.
SLOWEST_TRANSFER_BYTES_PER_S: Final = 512 * 1024
#: A signed message is good for one request that starts at once, whatever the two clocks say.
MESSAGE_LIFETIME_S: Final = 60

_CHUNK_SIZE: Final = 1024 * 1024
_MAX_OBJECT_SIZE: Final = MAX_SEGMENTS * SEGMENT_SIZE
_GENERIC_SS58: Final = 42
_SIGNATURE_LEN: Final = 64
_OK: Final = 200
_PARTIAL_CONTENT: Final = 206
_REDIRECTS: Final = range(300, 400)
_NO_SUCH_ROUTE: Final = (404, 405)


class DeossStore(ObjectStore):
    """One gateway, used in the name of one account.

    `sign` returns the account's 64-byte sr25519 signature of a message. Constructing does no I/O.

    Raises:
        ConfigInvalid: the URL or the account is not usable.
    """

    def __init__(
        self,
        url: str,
        account: bytes,
        sign: Callable[[bytes], bytes],
        territory: str = "caregrid",
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._url = _gateway_url(url)
        if len(account) != ACCOUNT_LEN:
            raise ConfigInvalid(f"an account is {ACCOUNT_LEN} bytes, not {len(account)}")
        self._account, self._sign, self._territory, self._now = account, sign, territory, now
        self._session: aiohttp.ClientSession | None = None

    async def put(self, source: Path) -> bytes:
        """Upload a file, computing its id on the way; see `ObjectStore.put`."""
        with await asyncio.to_thread(_Upload, source) as upload:
            upload.require_size()
            try:
                answer = await self._send(upload)
            except StorageUnreachable:
                upload.raise_failure()
                raise
            object_id = upload.object_id()
        if answer != object_id:
            raise FileIdMismatch("the storage gateway computed another file id than we did")
        return object_id

    async def read_range(self, object_id: bytes, offset: int, length: int) -> bytes:
        """Return bytes of an object; see `ObjectStore.read_range`."""
        return b"".join([chunk async for chunk in self.stream_range(object_id, offset, length)])

    async def stream_range(self, object_id: bytes, offset: int, length: int) -> AsyncIterator[bytes]:
        """Yield bytes of an object; see `ObjectStore.stream_range`."""
        _checks.require_range(object_id, offset, length)
        if length == 0:
            return
        last = offset + length - 1
        # DeOSS reads the range from this header, not from `Range`.
        headers = {"Content-Range": f"bytes={offset}-{last}"}
        path = f"file/open/{object_id.hex()}"
        async with self._request("GET", path, headers=headers, transfer=length) as response:
            await _require_content(response, _PARTIAL_CONTENT)
            _require_answered_range(response, offset, last)
            async for chunk in self._content(response, object_id, offset, length):
                yield chunk

    async def download(self, object_id: bytes, target: Path) -> int:
        """Write a whole object to a file and check its id; see `ObjectStore.download`.

        A file id does not cover trailing zero bytes within the last segment: the size is the gateway's word,
        and the digest of the sealed bytes is what settles it.
        """
        _checks.require_object_id(object_id)
        hasher = FileIdHasher()
        with AtomicFile(target) as part:
            async with aclosing(self._whole(object_id)) as chunks:
                async for chunk in chunks:
                    await asyncio.to_thread(part.write, chunk)
                    await asyncio.to_thread(hasher.update, chunk)
            if hasher.finish() != object_id:
                raise FileIdMismatch
            await asyncio.to_thread(part.publish)
        return hasher.size

    async def stat(self, object_id: bytes) -> ObjectStat | None:
        """Ask for the metadata of an object; see `ObjectStore.stat`."""
        _checks.require_object_id(object_id)
        try:
            # Stock DeOSS does not know the header, and tells no placement.
            data = await self._ask("GET", f"file/metadata/{object_id.hex()}", headers={"Placement": "counts"})
        except ObjectUnknown:
            return None
        size = data.get("size")
        if type(size) is not int or not 0 < size <= _MAX_OBJECT_SIZE:
            raise ProtocolViolation("the storage gateway gave no usable size of the object")
        return ObjectStat(object_id=object_id, size=size, placement=_placement(data.get("placement")))

    async def repair(self, object_id: bytes) -> Repair | None:
        """Ask for a repair, which stock DeOSS does not offer; see `ObjectStore.repair`."""
        _checks.require_object_id(object_id)
        path = f"file/repair/{object_id.hex()}"
        # Every segment may have to be read and coded.
        options: dict[str, Any] = {"headers": self._identity(), "transfer": _MAX_OBJECT_SIZE, "uploads": True}
        async with self._request("POST", path, **options) as response:
            body = await _limited_body(response)
            envelope = _envelope.parse(body)
            if envelope is None and response.status in _NO_SUCH_ROUTE:
                return None
            if response.status != _OK or envelope is None or envelope.code != _OK:
                raise _envelope.error_of(response.status, envelope)
        return _repair(envelope.data)

    async def close(self) -> None:
        """Close the connections; the store opens new ones when it is used again."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(self, upload: _Upload) -> bytes:
        headers = {**self._identity(), "Content-Length": str(upload.size)}
        # The name is public on the chain, so it says nothing.
        path = f"object/{secrets.token_hex(16)}"
        data = await self._ask("PUT", path, headers=headers, body=upload.body(), transfer=upload.size)
        try:
            return bytes.fromhex(data["fid"])
        except (LookupError, TypeError, ValueError) as exc:
            raise ProtocolViolation("the storage gateway answered an upload without a file id") from exc

    async def _whole(self, object_id: bytes) -> AsyncGenerator[bytes]:
        path = f"file/download/{object_id.hex()}"
        async with self._request("GET", path, transfer=_MAX_OBJECT_SIZE) as response:
            await _require_content(response, _OK)
            size = response.content_length
            if size is None or size > _MAX_OBJECT_SIZE:
                raise ProtocolViolation("the storage gateway gave no usable length of the object")
            if size == 0:
                # Stock DeOSS does this once, when it has to fetch the file from its miners first.
                raise StorageUnreachable("the storage gateway has not fetched the object yet; try again")
            async for chunk in self._content(response, object_id, 0, size):
                yield chunk

    async def _content(
        self, response: aiohttp.ClientResponse, object_id: bytes, offset: int, length: int
    ) -> AsyncIterator[bytes]:
        received = 0
        try:
            async for chunk in response.content.iter_chunked(_CHUNK_SIZE):
                received += len(chunk)
                if received > length:
                    raise ProtocolViolation("the storage gateway sent more bytes than it was asked for")
                yield chunk
        except aiohttp.ClientPayloadError:
            received = min(received, length - 1)
        if received < length:
            await self._explain_cut(object_id, offset + received)
            raise StorageUnreachable("the storage gateway broke off its answer; try again")

    async def _explain_cut(self, object_id: bytes, offset: int) -> None:
        # An answer that has begun cannot turn into an error; asking from there on brings the error itself.
        headers = {"Content-Range": f"bytes={offset}-{offset}"}
        async with self._request("GET", f"file/open/{object_id.hex()}", headers=headers) as response:
            await _require_content(response, _PARTIAL_CONTENT)

    async def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        async with self._request(method, path, **options) as response:
            body = await _limited_body(response)
            envelope = _envelope.parse(body)
            if response.status != _OK or envelope is None or envelope.code != _OK:
                raise _envelope.error_of(response.status, envelope)
        if not isinstance(envelope.data, dict):
            raise ProtocolViolation("the storage gateway answered without data")
        return envelope.data

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: AsyncIterator[bytes] | None = None,
        transfer: int = 0,
        uploads: bool = False,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._connections().request(
                method,
                self._url.joinpath(path),
                headers=headers,
                data=body,
                allow_redirects=False,
                timeout=_deadlines(transfer, uploads=uploads or body is not None),
            ) as response:
                if response.status in _REDIRECTS:
                    raise ProtocolViolation("the storage gateway redirects; configure its final URL")
                yield response
        except TimeoutError as exc:
            raise StorageUnreachable("the storage gateway did not answer within its deadline") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise StorageUnreachable from exc

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"Accept-Encoding": "identity"},
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=_CHUNK_SIZE,
            )
        return self._session

    def _identity(self) -> dict[str, str]:
        message = str(int(self._now()) + MESSAGE_LIFETIME_S)
        signature = self._sign(message.encode())
        if len(signature) != _SIGNATURE_LEN:
            raise ConfigInvalid(f"a signature is {_SIGNATURE_LEN} bytes, not {len(signature)}")
        return {
            "Account": ss58_encode(self._account, _GENERIC_SS58),
            "Message": message,
            "Signature": "0x" + signature.hex(),
            "Territory": self._territory,
        }


class _Upload:
    """A file on its way: what is sent is hashed, and what goes wrong with the file itself is kept."""

    def __init__(self, source: Path) -> None:
        self._file: BinaryIO = _files.open_source(source)
        self.size = _files.size_of(self._file)
        self._hasher = FileIdHasher()
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def require_size(self) -> None:
        if self.size == 0:
            raise InputEmpty
        if self.size > _MAX_OBJECT_SIZE:
            raise InputTooLarge(limit=_MAX_OBJECT_SIZE)

    async def body(self) -> AsyncIterator[bytes]:
        try:
            while self._hasher.size < self.size:
                yield await asyncio.to_thread(self._next_chunk)
        except (OSError, EOFError) as exc:
            self._failure = exc
            raise

    def object_id(self) -> bytes:
        return self._hasher.finish()

    def raise_failure(self) -> None:
        if self._failure is not None:
            raise InputInvalid("the file could not be read to its end; store it again") from self._failure

    def _next_chunk(self) -> bytes:
        chunk = self._file.read(min(_CHUNK_SIZE, self.size - self._hasher.size))
        if not chunk:
            raise EOFError
        self._hasher.update(chunk)
        return chunk


def _placement(told: Any) -> Placement | None:
    names = ("needed", "total", "living", "nodes")
    try:
        return None if told is None else Placement(**{name: int(told[name]) for name in names})
    except (LookupError, TypeError, ValueError) as exc:
        raise ProtocolViolation("the storage gateway gave no usable placement of the object") from exc


def _repair(told: Any) -> Repair:
    placement = _placement(told.get("placement")) if isinstance(told, dict) else None
    if placement is None or type(told.get("rebuilt")) is not int:
        raise ProtocolViolation("the storage gateway did not say what it repaired")
    return Repair(rebuilt=told["rebuilt"], placement=placement)


def _gateway_url(url: str) -> URL:
    try:
        parsed = URL(url)
    except ValueError as exc:
        raise ConfigInvalid("the storage gateway's URL is malformed") from exc
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.user or parsed.password:
        raise ConfigInvalid("the storage gateway's URL must be http(s)://host[:port], without credentials")
    return parsed


def _deadlines(transfer: int, *, uploads: bool) -> aiohttp.ClientTimeout:
    # While an upload is coded and spread, nothing is to be read: only the total counts.
    return aiohttp.ClientTimeout(
        total=ANSWER_TIMEOUT_S + transfer / SLOWEST_TRANSFER_BYTES_PER_S,
        sock_connect=CONNECT_TIMEOUT_S,
        sock_read=None if uploads else STALL_TIMEOUT_S,
    )


async def _require_content(response: aiohttp.ClientResponse, status: int) -> None:
    # Stock DeOSS reports errors as JSON with status 200; content is never JSON on these routes.
    if response.status == status and response.content_type != "application/json":
        return
    body = await _limited_body(response)
    raise _envelope.error_of(response.status, _envelope.parse(body))


def _require_answered_range(response: aiohttp.ClientResponse, first: int, last: int) -> None:
    unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
    if unit != "bytes" or rest.partition("/")[0] != f"{first}-{last}":
        raise ProtocolViolation("the storage gateway answered with another range than it was asked for")


async def _limited_body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_SIZE):
        body += chunk
        if len(body) > _envelope.MAX_ENVELOPE_SIZE:
            raise ProtocolViolation("the storage gateway sent an answer of unreasonable length")
    return bytes(body)
