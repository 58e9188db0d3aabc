"""Hands a record's data key to the custodian's own applications, wrapped, and notes each time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from caregrid.errors import NotFound
from caregrid.keys import PUBLIC_KEY_LEN, wrap_data_key
from caregrid.records import ACCOUNT_LEN
from ocw_sidecar.api import requests

if TYPE_CHECKING:
    from ocw_sidecar.pipeline.bench import Bench

log = structlog.get_logger()


class Records:
    """The resource `/v1/records`."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def release_key(self, request: web.Request) -> web.Response:
        """Answer with the data key wrapped to the account's public key; the release is on record first."""
        record_id = requests.record_id_of(request)
        body = await requests.json_object(request)
        account = requests.hex_bytes("account", body.get("account"), ACCOUNT_LEN)
        public_key = requests.hex_bytes("public_key", body.get("public_key"), PUBLIC_KEY_LEN)
        kept = await self._bench.queue.releasable_key(record_id)
        if kept is None:
            raise NotFound("no record with this id was accepted here; check the id")
        wrapped = await asyncio.to_thread(self._rewrap, record_id, kept, account, public_key)
        await self._bench.queue.note_release(record_id, account, now=self._bench.ports.now())
        log.info("key_released", record=record_id.hex())
        return web.json_response({"wrapped": wrapped.hex()})

    def _rewrap(self, record_id: bytes, kept: bytes, account: bytes, public_key: bytes) -> bytes:
        data_key = self._bench.ports.key_store.unwrap(record_id, kept)
        return wrap_data_key(public_key, data_key, record_id, account)


class Failures:
    """The resource `/v1/failures`."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def replay(self, _request: web.Request) -> web.Response:
        """Give everything that failed another chance."""
        replayed = await self._bench.queue.replay_failed(now=self._bench.ports.now())
        self._bench.bells.ring_all()
        log.info("failures_replayed", jobs=replayed)
        return web.json_response({"replayed": replayed})
