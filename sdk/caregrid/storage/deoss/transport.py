"""HTTP to one gateway: deadlines, bounded answers, no redirects, and errors as CareGrid's."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from yarl import URL

from caregrid.errors import ConfigInvalid, ProtocolViolation, StorageUnreachable
from caregrid.storage.deoss import deadlines, envelope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

#: Content is passed on in pieces of at most this size.
CHUNK_SIZE: Final = 1024 * 1024
OK: Final = 200
PARTIAL_CONTENT: Final = 206
#: DeOSS says with it that the next chunk of an upload may come; nothing else makes a redirect acceptable.
GO_ON: Final = 308

_REDIRECTS: Final = range(300, 400)


class Transport:
    """Connections to one gateway. Constructing does no I/O.

    Raises:
        ConfigInvalid: the URL cannot be a gateway's.
    """

    def __init__(self, url: str) -> None:
        self.url = _gateway_url(url)
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        *,
        deadline_s: float,
        transfer: int = 0,
        uploads: bool = False,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: AsyncIterator[bytes] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and give its answer, whatever its status, but never that of a redirect.

        `transfer` is how many bytes may be moved; with `uploads` there may be silence while they are.
        """
        try:
            async with self._connections().request(
                method,
                self.url.joinpath(path),
                params=params,
                headers=headers,
                data=body,
                allow_redirects=False,
                timeout=_timeouts(deadline_s, transfer, uploads=uploads or body is not None),
            ) as response:
                _require_no_redirect(response)
                yield response
        except TimeoutError as exc:
            raise StorageUnreachable("the storage gateway did not answer within its deadline") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise StorageUnreachable from exc

    async def ask(
        self, method: str, path: str, *, limit: int = envelope.MAX_ENVELOPE_SIZE, **options: Any
    ) -> Any:
        """Return the data of a successful answer."""
        async with self.request(method, path, **options) as response:
            return await data_of(response, limit)

    async def close(self) -> None:
        """Close the connections; new ones are opened when they are needed."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"Accept-Encoding": "identity"},
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=CHUNK_SIZE,
            )
        return self._session


async def data_of(response: aiohttp.ClientResponse, limit: int = envelope.MAX_ENVELOPE_SIZE) -> Any:
    """Return the data of a successful answer; raise the error that another one stands for."""
    answer = envelope.parse(await limited_body(response, limit))
    if response.status != OK or answer is None or answer.code != OK:
        raise envelope.error_of(response.status, answer, response.headers.get("Retry-After"))
    return answer.data


async def require_content(response: aiohttp.ClientResponse, status: int) -> None:
    """Raise the error that an answer stands for when it is not content."""
    # Stock DeOSS reports errors as JSON with status 200; content is never JSON on these routes, and a page
    # is a portal's or a proxy's.
    if response.status == status and response.content_type not in {"application/json", "text/html"}:
        return
    answer = envelope.parse(await limited_body(response, envelope.MAX_ENVELOPE_SIZE))
    raise envelope.error_of(response.status, answer, response.headers.get("Retry-After"))


async def limited_body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return an answer's body; refuse one that is longer than it may be."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_SIZE):
        body += chunk
        if len(body) > limit:
            raise ProtocolViolation("the storage gateway sent an answer of unreasonable length")
    return bytes(body)


def _require_no_redirect(response: aiohttp.ClientResponse) -> None:
    goes_on = response.status == GO_ON and "Location" not in response.headers
    if response.status in _REDIRECTS and not goes_on:
        raise ProtocolViolation("the storage gateway redirects; configure its final URL")


def _gateway_url(url: str) -> URL:
    try:
        parsed = URL(url)
    except ValueError as exc:
        raise ConfigInvalid("the storage gateway's URL is malformed") from exc
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.user or parsed.password:
        raise ConfigInvalid("the storage gateway's URL must be http(s)://host[:port], without credentials")
    return parsed


def _timeouts(deadline_s: float, transfer: int, *, uploads: bool) -> aiohttp.ClientTimeout:
    # While an upload is coded and spread, nothing is to be read: only the total counts.
    return aiohttp.ClientTimeout(
        total=deadline_s + transfer / deadlines.SLOWEST_TRANSFER_BYTES_PER_S,
        sock_connect=deadlines.CONNECT_TIMEOUT_S,
        sock_read=None if uploads else deadlines.STALL_TIMEOUT_S,
    )
