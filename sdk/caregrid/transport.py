"""Requests to a sidecar: with a bearer token, or signed by an account."""

from __future__ import annotations

import asyncio
import hashlib
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from yarl import URL

from caregrid import errors
from caregrid.signing import content_digest, message_of, sign_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from caregrid.keys import Identity

#: A sidecar on the same site accepts a connection at once, or is down.
CONNECT_TIMEOUT_S: Final = 5.0
#: Sealing and the durable commit of 100 MiB take a few seconds; without a byte for this long it hangs.
STALL_TIMEOUT_S: Final = 60.0

_MAX_ANSWER: Final = 64 * 1024 * 1024
_CHUNK_SIZE: Final = 1024 * 1024
_PROBLEM: Final = 400
_ERRORS: Final = {
    kind.code: kind
    for kind in (
        errors.AccessRefused,
        errors.ChainTimeout,
        errors.ChainUnreachable,
        errors.ChannelRefused,
        errors.ClockSkewed,
        errors.Conflict,
        errors.ContentAltered,
        errors.ContentStalled,
        errors.DatabaseUnreachable,
        errors.DiskLow,
        errors.GrantExpired,
        errors.InputEmpty,
        errors.InputInvalid,
        errors.InputTooLarge,
        errors.JsonBroken,
        errors.MediaTypeUnsupported,
        errors.NoEncryptionKey,
        errors.NoGrant,
        errors.NotFound,
        errors.QueueFull,
        errors.RateLimited,
        errors.RecordErased,
        errors.RecordUnknown,
        errors.RequestReplayed,
        errors.ScopeMissing,
        errors.Unauthorised,
        errors.ValidationFailed,
    )
}


class Transport:
    """A way to one sidecar. Constructing does no I/O."""

    def __init__(self, url: str, token: str | None = None, *, identity: Identity | None = None) -> None:
        """Use a token, or sign with an identity.

        Raises:
            ConfigInvalid: there is neither, or both.
        """
        if (token is None) == (identity is None):
            raise errors.ConfigInvalid("a sidecar is used with a token or with an identity that signs")
        self._url = url.rstrip("/")
        self._token, self._identity = token, identity
        self._session: aiohttp.ClientSession | None = None

    async def json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Return a JSON answer; options as of `request`.

        Raises:
            SidecarUnreachable: no answer.
            CaregridError: of the class that the sidecar's answer names.
        """
        async with self.request(method, path, **options) as response:
            await raise_for_fault(response)
            return parsed(await limited(response))

    @asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int | float] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | Path | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and yield the answer, whatever its status.

        Raises:
            SidecarUnreachable: no answer, or it broke off.
        """
        url = URL(self._url + path).update_query(query or {})
        sent = dict(headers or {})
        if body is not None:
            content, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        sent |= await self._authorization(method, url, sent, content)
        try:
            async with (
                _opened(content) as data,
                self._connected().request(
                    method,
                    url,
                    headers=sent,
                    data=data,
                    skip_auto_headers=("Content-Type",),
                    allow_redirects=False,
                ) as response,
            ):
                yield response
        except (TimeoutError, aiohttp.ClientError) as exc:
            raise errors.SidecarUnreachable from exc

    async def close(self) -> None:
        """Close connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _authorization(
        self, method: str, url: URL, headers: Mapping[str, str], content: bytes | Path | None
    ) -> dict[str, str]:
        if self._identity is None:
            return {"Authorization": f"Bearer {self._token}"}
        digested: dict[str, str] = {}
        if content is not None:
            digested["Content-Digest"] = content_digest(await asyncio.to_thread(_digest, content))
        message = message_of(method, url, {**headers, **digested})
        return digested | sign_request(message, self._identity.account, self._identity.sign)

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=STALL_TIMEOUT_S
            )
            self._session = aiohttp.ClientSession(timeout=timeout)
        return self._session


async def raise_for_fault(response: aiohttp.ClientResponse) -> None:
    """Raise the error that an answer tells of, if it does."""
    if response.status >= _PROBLEM:
        raise fault_of(parsed(await limited(response)), response.headers.get("Retry-After"))


def fault_of(answer: Mapping[str, Any], retry_after: str | None = None) -> errors.CaregridError:
    """Return the error that `{"code", "message"}` names."""
    message = str(answer.get("message") or "the sidecar refused the request")
    kind = _ERRORS.get(str(answer.get("code")), errors.Fatal)
    if kind is errors.RateLimited and retry_after is not None and retry_after.isdecimal():
        return errors.RateLimited(message, retry_after_s=int(retry_after))
    if kind is errors.ValidationFailed:
        outcome = answer.get("outcome")
        return errors.ValidationFailed(message, outcome=outcome if isinstance(outcome, dict) else None)
    return kind(message)


async def limited(response: aiohttp.ClientResponse) -> bytes:
    """Return a body that is not too large for memory.

    Raises:
        ProtocolViolation: it is.
    """
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MAX_ANSWER:
            raise errors.ProtocolViolation("the sidecar's answer is too large")
    return bytes(body)


def parsed(body: bytes) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        ProtocolViolation: it is none.
    """
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise errors.ProtocolViolation("this is no CareGrid sidecar; check its URL")
    return answer


@asynccontextmanager
async def _opened(content: bytes | Path | None) -> AsyncIterator[Any]:
    if not isinstance(content, Path):
        yield content
        return
    with await asyncio.to_thread(content.open, "rb") as file:
        yield file


def _digest(content: bytes | Path) -> bytes:
    if isinstance(content, bytes):
        return hashlib.sha256(content).digest()
    digest = hashlib.sha256()
    with content.open("rb") as file:
        while chunk := file.read(_CHUNK_SIZE):
            digest.update(chunk)
    return digest.digest()
