"""Gateways that answer anything: every answer ends in bytes of bounded length or a typed error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import sr25519
from aiohttp import web
from aiohttp.test_utils import TestServer

from caregrid.auditing import DeossProvingStore
from caregrid.auditing.deoss import MAX_ANSWER_LEN
from caregrid.errors import (
    CaregridError,
    DiskLow,
    FragmentLost,
    ObjectUnknown,
    ProofOverdue,
    ProtocolViolation,
    RateLimited,
    StorageUnreachable,
    TagsUnknown,
    Unauthorised,
)
from caregrid.proofs.podr2 import Challenge
from caregrid.proofs.proving_store import FragmentPlace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAIR = sr25519.pair_from_seed(b"\x01" * 32)
PLACE = FragmentPlace(object_id=bytes(32), segment=0, index=3)
CHALLENGE = Challenge.of([(5, 7)])


class Gateway:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.status, self.body, self.asked = 200, b"", list[tuple[str, dict[str, str], bytes]]()

    async def answer(self, request: web.Request) -> web.Response:
        """Answer."""
        self.asked.append((request.method, dict(request.query), await request.read()))
        return web.Response(status=self.status, body=self.body)


@pytest.fixture
async def gateway() -> AsyncIterator[tuple[Gateway, DeossProvingStore]]:
    """A gateway and the store over it."""
    told = Gateway()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", told.answer)
    async with TestServer(app) as server:
        store = DeossProvingStore(str(server.make_url("")), PAIR[0], lambda text: sr25519.sign(PAIR, text))
        yield told, store
        await store.close()


def envelope(code: int, data: object) -> bytes:
    """Return an answer of DeOSS's form."""
    return json.dumps({"code": code, "msg": "told", "data": data}).encode()


ERRORS: list[tuple[int, bytes, type[CaregridError]]] = [
    (410, envelope(410, {"reason": "fragment_lost"}), FragmentLost),
    (410, envelope(410, {"reason": "tags_unknown"}), TagsUnknown),
    (504, envelope(504, {"reason": "proof_overdue"}), ProofOverdue),
    (404, envelope(404, None), ObjectUnknown),
    (403, envelope(403, None), Unauthorised),
    (507, envelope(507, None), DiskLow),
    (503, envelope(503, None), StorageUnreachable),
    (429, b"", RateLimited),
    (410, envelope(410, {"reason": ["fragment_lost"]}), ProtocolViolation),
    (404, b"404 page not found", ProtocolViolation),
    (302, b"", ProtocolViolation),
    (500, b"x" * 2 * MAX_ANSWER_LEN, ProtocolViolation),
    (500, b"[" * 10_000, StorageUnreachable),
]


@pytest.mark.parametrize(("status", "body", "expected"), ERRORS)
async def test_refusals(
    gateway: tuple[Gateway, DeossProvingStore], status: int, body: bytes, expected: type[CaregridError]
) -> None:
    """Each refusal has its error, whatever was asked."""
    told, store = gateway
    told.status, told.body = status, body
    with pytest.raises(expected):
        await store.prove(PLACE, bytes(32), CHALLENGE)
    with pytest.raises(expected):
        await store.put_tags(PLACE, b"tags", None)
    with pytest.raises(expected):
        await store.held_tags(PLACE)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        envelope(200, None),
        envelope(200, {"tags": 3}),
        envelope(200, {"tags": ["zz"]}),
        envelope(200, {"tags": ["00"]}),
        envelope(200, {"tags": ["00" * 32] * 33}),
        envelope(500, {"tags": []}),
    ],
)
async def test_odd_lists_of_tags(gateway: tuple[Gateway, DeossProvingStore], body: bytes) -> None:
    """What is no list of hashes is refused."""
    told, store = gateway
    told.body = body
    with pytest.raises(ProtocolViolation):
        await store.held_tags(PLACE)


async def test_an_endless_proof_is_refused(gateway: tuple[Gateway, DeossProvingStore]) -> None:
    """No gateway fills our memory."""
    told, store = gateway
    told.body = b"x" * (MAX_ANSWER_LEN + 1)
    with pytest.raises(ProtocolViolation):
        await store.prove(PLACE, bytes(32), CHALLENGE)


async def test_what_is_asked(gateway: tuple[Gateway, DeossProvingStore]) -> None:
    """The challenge is the body, the place and the tags are named, and what comes is passed on as it is."""
    told, store = gateway
    told.body = b"anything"
    assert b"anything" == await store.prove(PLACE, b"\x01" * 32, CHALLENGE)
    query = {"fid": "00" * 32, "segment": "0", "index": "3", "tags": "01" * 32}
    assert [("POST", query, CHALLENGE.encoded)] == told.asked
