"""What `doctor` looks at on the operator's side."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from caregrid.errors import CaregridError, ConfigInvalid
from ocw_sidecar import operating
from ocw_sidecar.adapters.opening import QUEUE_FILE, open_database, redis_module
from ocw_sidecar.adapters.real import gateway_stores, real_ports
from ocw_sidecar.background_parts import followed_chain
from ocw_sidecar.cli import (
    doctor_cess,
    doctor_chain,
    doctor_keys,
    doctor_storage,
    doctor_validation,
    findings,
)
from ocw_sidecar.cli.findings import Finding, find
from ocw_sidecar.pipeline.migrations import SCHEMA_VERSION
from ocw_sidecar.ports import utc_now
from ocw_sidecar.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from ocw_sidecar.ports import Ports

#: A day of two-second blocks is caught up with in minutes; more behind than this, and something holds it up.
MAX_LAG_BLOCKS: Final = 300
#: Authors give blocks their time within seconds; requests are signed with the wall clock's.
MAX_SKEW_S: Final = 30.0


async def examine(config: Path) -> list[Finding]:
    """Look at everything that a sidecar with this configuration needs."""
    try:
        settings = Settings.load(config)
    except CaregridError as fault:
        return [Finding(check="configuration", ok=False, detail=str(fault))]
    found = [
        Finding(check="configuration", ok=True, detail=str(config)),
        findings.disk_at(settings.home, int(settings.min_free_disk)),
        await find("key files", doctor_keys.modes(settings)),
    ]
    try:
        async with real_ports(settings) as ports:
            found.append(Finding(check="keys", ok=True, detail="operator and key store open"))
            found += await look(settings, ports)
        found.append(await find("chain endpoints", _endpoints(settings)))
        return [*found, *await _gateways(settings)]
    except CaregridError as fault:
        return [*found, Finding(check="keys", ok=False, detail=str(fault))]


async def look(settings: Settings, ports: Ports) -> list[Finding]:
    """Look at the outside world, and at the sidecar's database."""
    account, chain = ports.submitter.account, ports.chain
    return [
        await find("key store", doctor_keys.works(settings, ports.key_store)),
        await find("chain", _chain(ports)),
        await find("balance", findings.balance_of(chain, account)),
        await find("role", findings.role_of(chain, account, settings.organisation)),
        *await doctor_storage.examine(ports.store, settings.storage.territory_limits(), utc_now()),
        *await doctor_cess.examine(settings.storage.cess, account),
        *await cache(settings),
        await find("validation", doctor_validation.judging(ports)),
        await find("wall clock", _wall_clock(ports)),
        await find("sidecar", _running(settings)),
        await find("clock", _clock(settings, ports)),
        await find("workers", _workers(settings)),
    ]


async def cache(settings: Settings) -> list[Finding]:
    """Look whether a cache that is configured answers; without one there is nothing to say."""
    if settings.redis.url is None:
        return []
    return [await find("cache", _answers(settings))]


async def _answers(settings: Settings) -> str:
    await asyncio.to_thread(redis_module().ping, settings.redis)
    return "Redis answers"


async def _chain(ports: Ports) -> str:
    head, version = await ports.chain.finalized_head(), await ports.chain.spec_version()
    return f"block {head.number} is final; runtime {version}; schema {SCHEMA_VERSION}"


async def _endpoints(settings: Settings) -> str:
    genesis = None
    if settings.database.url is not None or (settings.home / QUEUE_FILE).exists():
        async with open_database(settings) as database:
            genesis = await followed_chain(settings, database)
    return await doctor_chain.endpoints(settings.chain_urls, genesis)


async def _gateways(settings: Settings) -> list[Finding]:
    async with gateway_stores(settings) as stores:
        return await doctor_storage.gateways(stores)


async def _wall_clock(ports: Ports) -> str:
    skew_s = (utc_now() - await ports.chain.block_time()).total_seconds()
    if abs(skew_s) > MAX_SKEW_S:
        raise ConfigInvalid(
            f"this machine's time is {skew_s:+.0f} s from that of the last final block; set its clock, "
            "or look whether the chain still makes blocks"
        )
    return f"{skew_s:+.0f} s from the last final block"


async def _running(settings: Settings) -> str:
    told = await operating.status(settings)
    if not told["running"]:
        raise ConfigInvalid("no sidecar runs; start it with `caregrid sidecar run`")
    if not any(process["leads"] for process in told["processes"]):
        raise ConfigInvalid("no sidecar leads; if none does within a minute, look at the database")
    return f"{len(told['processes'])} running"


async def _clock(settings: Settings, ports: Ports) -> str:
    clock = (await operating.status(settings))["clock"]
    if clock is None:
        raise ConfigInvalid("no block was taken in yet; start the sidecar and look again")
    lag = (await ports.chain.finalized_head()).number - clock["block"]
    if lag < 0:
        raise ConfigInvalid(f"the chain is {-lag} blocks behind the sidecar; name a node that is up to date")
    if lag > MAX_LAG_BLOCKS:
        raise ConfigInvalid(f"the sidecar is {lag} blocks behind; if that does not shrink, look at its log")
    return f"{lag} blocks behind"


async def _workers(settings: Settings) -> str:
    workers = (await operating.status(settings))["workers"]
    failing = [f"{each['worker']} ({each['reason']})" for each in workers if each["reason"] is not None]
    if failing:
        raise ConfigInvalid(f"failed at their last run: {', '.join(failing)}; docs/reference/errors.md")
    paused = [each["worker"] for each in workers if each["paused"]]
    return f"paused: {', '.join(paused)}" if paused else "none is paused or failing"
