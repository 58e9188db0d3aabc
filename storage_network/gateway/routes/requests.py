"""What routes read from requests, and how they send content."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from aiohttp import web

from caregrid.errors import CaregridError, DiskLow, ObjectUnknown
from storage_network.gateway import auth
from storage_network.gateway.database import NO_SPACE
from storage_network.gateway.envelope import GatewayError
from storage_network.gateway.records import Owner

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from storage_network.gateway.parts import Gateway
    from storage_network.gateway.records import StoredObject

#: A request that finds all places taken waits this long before it is sent away.
PLACE_TIMEOUT_S: Final = 30.0
#: A reader that takes nothing for this long is gone; he must not keep a place from others.
CLIENT_STALL_TIMEOUT_S: Final = 60.0

_NAME_LENGTHS: Final = range(3, 64)
_MAX_TERRITORY: Final = 63
_WRITE_SIZE: Final = 1024 * 1024
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


async def account_of(gateway: Gateway, request: web.Request) -> bytes:
    """Return the account that signed a request, and count the request as its own.

    Raises:
        Unauthorised: the signature is missing or wrong, or has expired.
        RateLimited: the account makes too many requests.
    """
    account = auth.authenticate(
        request.headers, now=time.time(), require_expiry=gateway.settings.require_expiry
    )
    await gateway.limits.account(account)
    return account


def owner_of(request: web.Request, account: bytes, name: str) -> Owner:
    """Return who stores an object under which name, in the territory that the request names.

    Raises:
        GatewayError: a name is too long or too short, or the gateway is to encrypt.
    """
    territory = request.headers.get("Territory", "")
    if "Cipher" in request.headers:
        raise GatewayError(400, "this gateway does not encrypt; seal the content before storing it")
    if len(name.encode()) not in _NAME_LENGTHS:
        raise GatewayError(400, "the name must be 3 to 63 bytes long")
    require_territory_name(territory)
    return Owner(account=account, name=name, territory=territory)


def require_territory_name(territory: str) -> None:
    """Refuse what is no name of a territory."""
    if len(territory) > _MAX_TERRITORY or not territory.isprintable():
        raise GatewayError(400, f"the territory's name must be at most {_MAX_TERRITORY} printable characters")


async def require_disk(gateway: Gateway, size: int) -> None:
    """Refuse what would fill the gateway's disk.

    Raises:
        DiskLow: it would.
    """
    free = (await asyncio.to_thread(shutil.disk_usage, gateway.settings.root)).free
    if free - size < gateway.settings.min_free:
        raise DiskLow(NO_SPACE)


def fid_of(request: web.Request) -> bytes:
    """Return the file id in a request's path; raises GatewayError where it is none."""
    return digest_of(request.match_info["fid"], "fid")


def digest_of(text: str, name: str) -> bytes:
    """Return a hash written in lower-case hexadecimal; raises GatewayError where it is none."""
    if not _DIGEST.fullmatch(text):
        raise GatewayError(400, f"invalid {name}")
    return bytes.fromhex(text)


async def find(gateway: Gateway, fid: bytes) -> StoredObject:
    """Return an object.

    Raises:
        ObjectUnknown: there is none.
    """
    stored = await asyncio.to_thread(gateway.catalogue.find, fid)
    if stored is None:
        raise ObjectUnknown("Not found")
    return stored


@asynccontextmanager
async def place(places: asyncio.Semaphore) -> AsyncIterator[None]:
    """Hold one of a number of places.

    Raises:
        GatewayError: none came free in time.
    """
    try:
        async with asyncio.timeout(PLACE_TIMEOUT_S):
            await places.acquire()
    except TimeoutError:
        raise GatewayError(503, "server busy") from None
    try:
        yield
    finally:
        places.release()


def content_response(status: int, length: int) -> web.StreamResponse:
    """Return the head of an answer that carries content."""
    response = web.StreamResponse(status=status, headers={"Content-Type": "application/octet-stream"})
    response.content_length = length
    return response


async def stream(
    request: web.Request, response: web.StreamResponse, pieces: AsyncGenerator[bytes]
) -> web.StreamResponse:
    """Send pieces; when one cannot be had, the connection is cut, so that nobody takes it for the end."""
    # The first piece comes before the headers, so that what cannot be read is an error, not a broken answer.
    piece: bytes | None = await anext(pieces)
    await response.prepare(request)
    try:
        while piece is not None:
            await _write(response, piece)
            piece = await anext(pieces, None)
    except (CaregridError, TimeoutError):
        if request.transport is not None:
            request.transport.abort()
    finally:
        await pieces.aclose()
    return response


async def _write(response: web.StreamResponse, piece: bytes) -> None:
    view = memoryview(piece)
    for start in range(0, len(view), _WRITE_SIZE):
        async with asyncio.timeout(CLIENT_STALL_TIMEOUT_S):
            await response.write(view[start : start + _WRITE_SIZE])
