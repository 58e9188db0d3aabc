"""The routes by which a node takes tags and answers challenges."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web

from caregrid.errors import InputInvalid
from caregrid.proofs.podr2 import MAX_CHALLENGE_LEN
from storage_network.node.proving import TAGS_BODY_LENS

if TYPE_CHECKING:
    from collections.abc import Container

    from aiohttp.typedefs import Handler

    from storage_network.node.proving import Prover

#: Tags and challenges are short: a gateway that takes longer to send them is gone.
SHORT_BODY_TIMEOUT_S: Final = 10.0

_CUT_BODY: Final = (asyncio.IncompleteReadError, TimeoutError, ConnectionError, web.RequestPayloadError)
_CHALLENGE_LENS: Final = range(1, MAX_CHALLENGE_LEN + 1)


class _Refused(Exception):
    """The request is answered with this code."""


class ProvingApi:
    """Asks a prover; each request holds a fragment in memory, of which there is room for some at once."""

    def __init__(self, prover: Prover, memory: asyncio.Semaphore) -> None:
        self._prover, self._memory = prover, memory

    def serve(self, app: web.Application, fragment: str) -> None:
        """Add the routes below a fragment's path."""
        tags = "{tags:[0-9a-f]{64}}"
        app.router.add_put(f"{fragment}/tags/{tags}", _answering(self.put_tags))
        app.router.add_get(f"{fragment}/tags", _answering(self.tags), allow_head=False)
        app.router.add_post(f"{fragment}/proof/{tags}", _answering(self.prove))

    async def put_tags(self, request: web.Request) -> web.Response:
        """Keep tags."""
        body = await _short_body(request, TAGS_BODY_LENS)
        async with self._memory:
            try:
                await asyncio.to_thread(self._prover.keep, _digest(request), _name(request), body)
            except InputInvalid:
                raise _Refused("tags_wrong") from None
        return web.json_response({}, status=201)

    async def tags(self, request: web.Request) -> web.Response:
        """Tell which tags are kept."""
        names = await asyncio.to_thread(self._prover.names, _digest(request))
        return web.json_response({"tags": [name.hex() for name in names]})

    async def prove(self, request: web.Request) -> web.Response:
        """Answer a challenge."""
        asked = await _short_body(request, _CHALLENGE_LENS)
        async with self._memory:
            try:
                proof = await asyncio.to_thread(self._prover.prove, _digest(request), _name(request), asked)
            except InputInvalid:
                raise _Refused("challenge_invalid") from None
        return web.Response(body=proof)


async def _short_body(request: web.Request, lengths: Container[int]) -> bytes:
    length = request.content_length
    if length is None or length not in lengths:
        raise _Refused("wrong_size")
    try:
        async with asyncio.timeout(SHORT_BODY_TIMEOUT_S):
            return await request.content.readexactly(length)
    except _CUT_BODY:
        raise _Refused("body_incomplete") from None


def _answering(handler: Handler) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except _Refused as refused:
            return web.json_response({"error": str(refused)}, status=400)

    return answer


def _digest(request: web.Request) -> bytes:
    return bytes.fromhex(request.match_info["digest"])


def _name(request: web.Request) -> bytes:
    return bytes.fromhex(request.match_info["tags"])
