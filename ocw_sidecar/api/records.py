"""Hands out data keys of records, wrapped, to accounts that may read them; and replays failures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from caregrid.chain.port import Escrowed
from caregrid.errors import AccessRefused, NotFound, ScopeMissing
from caregrid.keys import wrap_data_key
from ocw_sidecar.api import models, requests
from ocw_sidecar.api.callers import CALLER
from ocw_sidecar.api.replies import reply

if TYPE_CHECKING:
    from aiohttp import web

    from ocw_sidecar.api.callers import Caller
    from ocw_sidecar.api.erasures import Erasures
    from ocw_sidecar.api.limits import Limits
    from ocw_sidecar.api.operators import Access, Readers
    from ocw_sidecar.api.releases import ReleaseNews
    from ocw_sidecar.ledger.port import Ledger
    from ocw_sidecar.notifications.port import Outbox
    from ocw_sidecar.pipeline.bench import Bench

log = structlog.get_logger()


class Records:
    """The resource `/v1/records`."""

    def __init__(
        self,
        bench: Bench,
        readers: Readers,
        limits: Limits,
        ledger: Ledger | None,
        *,
        erasures: Erasures,
        news: ReleaseNews | None = None,
    ) -> None:
        self._bench, self._readers, self._limits, self._ledger = bench, readers, limits, ledger
        self._erasures, self._news = erasures, news

    async def release_key(self, request: web.Request) -> web.Response:
        """Answer with the data key wrapped to the reader's key on chain; the release is on record first."""
        record_id, caller = requests.record_id_of(request), request[CALLER]
        wish = await requests.json_body(request, models.KeyWish)
        account = _reader(wish, caller)
        await self._limits.key_release(caller)
        await self._erasures.require_standing(record_id)
        access = await self._readers.access(record_id, account)
        if wish.public_key is not None and requests.from_hex(wish.public_key) != access.key.public_key:
            raise AccessRefused("public_key is not the one that stands on chain for the account")
        kept = await self._bench.queue.releasable_key(record_id)
        if kept is None:
            raise NotFound("no record with this id was accepted here; check the id")
        wrapped = await self._escrowed(record_id, access)
        if wrapped is None:
            wrapped = await asyncio.to_thread(self._rewrap, record_id, kept, account, access.key.public_key)
        await self._note(record_id, account, access)
        return reply(models.ReleasedKey(wrapped=wrapped.hex()))

    async def _note(self, record_id: bytes, account: bytes, access: Access) -> None:
        now, ground = self._bench.ports.now(), access.ground
        await self._bench.queue.note_release(record_id, account, ground=ground, now=now)
        if self._news is not None:
            await self._news.tell(record_id, account, ground, now)
        log.info("key_released", record=record_id.hex())

    async def _escrowed(self, record_id: bytes, access: Access) -> bytes | None:
        """Return the very bytes whose digest the grant holds, so that the reader can compare."""
        grant = access.grant
        if self._ledger is None or grant is None or not isinstance(grant.key, Escrowed):
            return None
        if grant.key.key_version != access.key.version:
            return None  # the reader has a new key since; what is in escrow he cannot open
        kept = await self._ledger.escrow(grant.scope, grant.grantee)
        ours = [each for each in kept if each.key_version == access.key.version]
        return next((each.wrapped for each in ours if each.record_id == record_id), None)

    def _rewrap(self, record_id: bytes, kept: bytes, account: bytes, public_key: bytes) -> bytes:
        data_key = self._bench.ports.key_store.unwrap(record_id, kept)
        return wrap_data_key(public_key, data_key, record_id, account)


class Failures:
    """The resource `/v1/failures`."""

    def __init__(self, bench: Bench, outbox: Outbox | None) -> None:
        self._bench, self._outbox = bench, outbox

    async def replay(self, _request: web.Request) -> web.Response:
        """Give everything that failed another chance: records on their way, and notices to whomever."""
        now = self._bench.ports.now()
        replayed = await self._bench.queue.replay_failed(now=now)
        deliveries = 0 if self._outbox is None else await self._outbox.replay_failed(None, now)
        self._bench.bells.ring_all()
        log.info("failures_replayed", jobs=replayed, deliveries=deliveries)
        return reply(models.AllReplayed(replayed=replayed, deliveries=deliveries))


async def whoami(request: web.Request) -> web.Response:
    """Say who the caller is here."""
    caller = request[CALLER]
    account = None if caller.account is None else caller.account.hex()
    return reply(models.Identity(account=account, scopes=sorted(caller.scopes)))


def _reader(wish: models.KeyWish, caller: Caller) -> bytes:
    account = caller.account if wish.account is None else requests.from_hex(wish.account)
    if account is None:
        raise AccessRefused("this token speaks for no account of its own; name the one that the key is for")
    if caller.account not in {None, account}:
        raise ScopeMissing("this caller speaks for its own account only")
    return account
