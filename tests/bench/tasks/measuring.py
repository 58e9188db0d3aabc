"""What the bench does, and how long it takes."""

from __future__ import annotations

import random
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import IPv4Address, ip_network
from typing import TYPE_CHECKING, Final

from caregrid.chain import BlockReason, IpBlock, SubstrateChain, SubstrateSubmitter, calls
from caregrid.keys import Identity
from caregrid.testing import MemoryChain
from caregrid.threats import Blocklist, parse_address
from ocw_sidecar.adapters.redis import RedisCache
from ocw_sidecar.adapters.sql.patients import SqlPatients
from ocw_sidecar.adapters.sql.threats import SqlThreatTables
from ocw_sidecar.adapters.sqlite import SqliteDatabase
from ocw_sidecar.background.audit_log import AuditLog
from ocw_sidecar.background.items import NewBlock
from ocw_sidecar.ports import ChainPorts, utc_now
from ocw_sidecar.settings.background import BackgroundSettings
from ocw_sidecar.settings.redis import RedisSettings
from ocw_sidecar.workers.background.report import Result
from ocw_sidecar.workers.background.sending import Patience
from ocw_sidecar.workers.background.tasks import Only, Tasks
from tests.bench.chain.nodes import url, validator
from tests.redis_server import running_redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from ocw_sidecar.workers.background.report import Part

#: Who follows the blocks without a cache, then with an empty one, then with what the second left there.
PLAIN: Final = "plain"
FOLLOWERS: Final = (PLAIN, "cold", "warm")
#: Entries of one transaction on their way in.
_PAGE: Final = 1_000
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Synced:
    """How long the way to the chain took, and the way back into an empty table."""

    entries: int
    seconds: float
    mirrored_s: float
    followed: dict[str, Followed]  #: block by block: without a cache, with an empty one, with a full one


@dataclass(frozen=True, kw_only=True, slots=True)
class Followed:
    """How long following the blocks took, and the share of what the cache had."""

    seconds: float
    hit_rate: float | None


async def synchronise(folder: Path, entries: int) -> Synced:
    """Put networks on a node of its own, and read them back into other databases."""
    node = validator(folder)
    node.start()
    node.wait_ready()
    who = Identity.from_uri("//Alice")
    chain = SubstrateChain([url(node)])
    submitter = SubstrateSubmitter([url(node)], account=who.account, sign=who.sign)
    try:
        await submitter.submit(calls.register_organisation([]))
        ports = ChainPorts(chain=chain, submitter=submitter)
        for name in FOLLOWERS:
            await _read(folder, ports, who.account, name)  # from here on it follows
        there = await _sent(folder, ports, who.account, entries)
        back = await _read(folder, ports, who.account, "theirs")
        with running_redis(folder) as server:
            settings = RedisSettings.model_validate({"url": server.url})
            followed = {
                name: await _followed(
                    folder, [url(node)], who.account, settings if name != PLAIN else None, name
                )
                for name in FOLLOWERS
            }
    finally:
        await submitter.close()
        await chain.close()
        node.stop()
    assert entries <= back.done
    return Synced(entries=entries, seconds=there, mirrored_s=back.seconds, followed=followed)


async def _sent(folder: Path, ports: ChainPorts, account: bytes, entries: int) -> float:
    async with _tables(folder, "ours", ports, account) as tasks:
        await _fill(tasks, entries, utc_now() + _DAY)
        started = time.perf_counter()
        report = await tasks.synchronise(
            only=Only.BLOCKS, patience=Patience(max_retries=3, retry_delay_s=1.0)
        )
        taken = time.perf_counter() - started - report.parts[-1].seconds
        assert entries == report.parts[0].done, report.as_json()
        return taken


async def _read(folder: Path, ports: ChainPorts, account: bytes, name: str) -> Part:
    async with _tables(folder, name, ports, account) as tasks:
        report = await tasks.synchronise(
            only=Only.BLOCKS, patience=Patience(max_retries=0, retry_delay_s=0.0)
        )
        assert report.result is Result.SUCCESS, report.as_json()
        return report.parts[-1]


async def _followed(
    folder: Path, urls: Sequence[str], account: bytes, redis: RedisSettings | None, name: str
) -> Followed:
    """Take in what a server of its own has missed, with all it has to load first loaded."""
    cache = None if redis is None else RedisCache(redis, bytes(32))
    chain = SubstrateChain(urls, cache=cache)
    try:
        await chain.spec_version()
        ports = ChainPorts(chain=chain, submitter=MemoryChain().submitter(account))
        part = await _read(folder, ports, account, name)
        return Followed(seconds=part.seconds, hit_rate=None if cache is None else cache.counts.rate)
    finally:
        await chain.close()
        if cache is not None:
            cache.close()


async def clean_up(folder: Path, entries: int) -> float:
    """Return the seconds that removing expired networks takes."""
    async with _tables(folder, "expired", None, bytes(32)) as tasks:
        await _fill(tasks, entries, utc_now() + _DAY)
        later = replace(tasks, now=lambda: utc_now() + 2 * _DAY)
        started = time.perf_counter()
        report = await later.clean_up(local_only=True)
        taken = time.perf_counter() - started
        assert entries == report.parts[0].done, report.as_json()
        return taken


def look_up(entries: int) -> float:
    """Return how many addresses a second can be asked about, every second of them blocked."""
    draw, found = random.Random(7), Blocklist()  # noqa: S311 - the same each time
    for _ in range(entries):
        length = draw.choice((16, 20, 24, 28, 32))
        net = ip_network((draw.getrandbits(32) >> (32 - length) << (32 - length), length))
        found.add(IpBlock(net=net, organisation=bytes(32), reason=BlockReason.SCANNING, expires_at=1_000))
    asked = [parse_address(IPv4Address(draw.getrandbits(32))) for _ in range(100_000)]
    started = time.perf_counter()
    for address in asked:
        found.covering(address, at_block=1)
    return len(asked) / (time.perf_counter() - started)


@asynccontextmanager
async def _tables(folder: Path, name: str, ports: ChainPorts | None, account: bytes) -> AsyncIterator[Tasks]:
    database = SqliteDatabase.open(folder / f"{name}.sqlite3")
    try:
        yield Tasks(
            tables=SqlThreatTables(database, account),
            patients=SqlPatients(database),
            settings=BackgroundSettings(),
            organisation=account,
            now=utc_now,
            audit=AuditLog(folder / "logs", now=utc_now),
            ports=ports,
        )
    finally:
        await database.close()


async def _fill(tasks: Tasks, entries: int, end: datetime) -> None:
    for first in range(0, entries, _PAGE):
        page = [
            NewBlock(net=ip_network((10 << 24) + number), reason=BlockReason.SCANNING, expires_at=end)
            for number in range(first, min(first + _PAGE, entries))
        ]
        await tasks.tables.block(page, now=utc_now())
