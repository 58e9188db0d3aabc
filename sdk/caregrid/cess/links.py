"""Connections to nodes, by WebSocket or HTTP; each question has a deadline, each answer a limit."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import aiohttp

from caregrid.cess import json_rpc
from caregrid.cess.deadlines import CLOSE_TIMEOUT_S, CONNECT_TIMEOUT_S, MAX_ANSWER
from caregrid.cess.faults import AnswerTooLong, Refused
from caregrid.chain.endpoints import public_name
from caregrid.chain.faults import AnswerGarbled
from caregrid.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

T = TypeVar("T")

#: Connections that are open at once, to all nodes; who wants one more waits.
MAX_LINKS: Final = 8
#: A connection that nobody used for so long may be dead by now, so it is not used again.
MAX_IDLE_S: Final = 10.0
#: A node is greeted again after so long.
MAX_AGE_S: Final = 60.0

_SCHEMES: Final = ("ws", "wss", "http", "https")
_OK: Final = 200
#: Work on less text than this is done before another thread would have begun.
_SMALL: Final = 64 * 1024


async def computed(work: Callable[[Any], T], data: Any) -> T:
    """Return what comes of text or bytes, on another thread when they are long."""
    return work(data) if len(data) <= _SMALL else await asyncio.to_thread(work, data)


class Link(ABC):
    """One connection, for one caller at a time."""

    def __init__(self) -> None:
        self.genesis: bytes | None = None  #: the hash of the node's block 0, once it was asked for
        self.opened_at = self.used_at = time.monotonic()
        self._number = 0

    async def ask(self, method: str, *params: Any, timeout_s: float) -> Any:
        """Return the node's answer.

        Raises:
            OSError: the connection broke, there was no answer in time, or it was an error or nonsense.
        """
        self._number += 1
        try:
            async with asyncio.timeout(timeout_s):
                given = await self._exchange(self._number, json_rpc.request(self._number, method, params))
        except aiohttp.ClientError as exc:
            raise ConnectionError from exc
        self.used_at = time.monotonic()
        return json_rpc.result(given)

    @property
    def fresh(self) -> bool:
        """Whether it may be used again."""
        now = time.monotonic()
        return now - self.used_at < MAX_IDLE_S and now - self.opened_at < MAX_AGE_S

    @abstractmethod
    async def _exchange(self, number: int, text: str) -> dict[str, Any]: ...

    @abstractmethod
    async def close(self) -> None:
        """Disconnect."""


class WebSocketLink(Link):
    """Questions and answers over one WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        super().__init__()
        self._socket = socket

    async def close(self) -> None:
        """Disconnect."""
        await self._socket.close()

    async def _exchange(self, number: int, text: str) -> dict[str, Any]:
        await self._socket.send_str(text)
        while True:
            given = await computed(json_rpc.answer, _text(await self._socket.receive()))
            # Anything else is a notification, which nobody has asked for.
            if given.get("id") == number:
                return given


class HttpLink(Link):
    """A request for each question."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        super().__init__()
        self._session, self._url = session, url

    async def close(self) -> None:
        """Do nothing: the session keeps connections."""

    async def _exchange(self, number: int, text: str) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        async with self._session.post(
            self._url, data=text, headers=headers, allow_redirects=False
        ) as response:
            if response.status != _OK:
                raise Refused
            given = await computed(json_rpc.answer, await _limited(response))
        if given.get("id") != number:
            raise AnswerGarbled
        return given


class Links:
    """Connections that are kept for a moment, since one question seldom comes alone."""

    def __init__(self, urls: Sequence[str]) -> None:
        for url in urls:
            if urlsplit(url).scheme not in _SCHEMES:
                raise ConfigInvalid(f"{public_name(url)} is no ws://, wss://, http:// or https:// URL")
        self._session: aiohttp.ClientSession | None = None
        self._idle: dict[str, list[Link]] = {}
        self._room = asyncio.Semaphore(MAX_LINKS)

    @asynccontextmanager
    async def lease(self, url: str) -> AsyncIterator[Link]:
        """Yield a connection to a node; after any error it is closed.

        Raises:
            OSError: the node cannot be reached.
        """
        async with self._room:
            link = await self._taken(url)
            try:
                yield link
            except BaseException:
                await link.close()
                raise
            self._idle.setdefault(url, []).append(link)

    async def close(self) -> None:
        """Close all connections that are not in use."""
        idle, self._idle = self._idle, {}
        for link in (link for links in idle.values() for link in links):
            await link.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _taken(self, url: str) -> Link:
        idle = self._idle.get(url, [])
        while idle:
            link = idle.pop()
            if link.fresh:
                return link
            await link.close()
        return await self._opened(url)

    async def _opened(self, url: str) -> Link:
        session = self._connected()
        if urlsplit(url).scheme in {"http", "https"}:
            return HttpLink(session, url)
        closing = aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                socket = await session.ws_connect(url, max_msg_size=MAX_ANSWER, timeout=closing)
        except (aiohttp.ClientError, ValueError) as exc:
            raise ConnectionError from exc
        return WebSocketLink(socket)

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            tracing = aiohttp.TraceConfig()
            tracing.on_request_redirect.append(_refuse_redirect)
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trace_configs=[tracing],
            )
        return self._session


async def _refuse_redirect(*_: Any) -> None:
    # The handshake of a WebSocket follows redirects, and has no option against it.
    raise AnswerGarbled


def _text(message: aiohttp.WSMessage) -> str | bytes:
    if message.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
        data: str | bytes = message.data
        return data
    too_big = aiohttp.WSCloseCode.MESSAGE_TOO_BIG
    if isinstance(message.data, aiohttp.WebSocketError) and message.data.code == too_big:
        raise AnswerTooLong
    raise ConnectionError


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER:
            raise AnswerTooLong
    return bytes(body)
