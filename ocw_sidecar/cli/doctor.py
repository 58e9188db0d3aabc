"""`caregrid doctor`: what works, what does not, and what to do."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from caregrid.client import EmrClient
from caregrid.errors import CaregridError, ConfigInvalid, SidecarUnreachable
from caregrid.profile import Profile
from caregrid.storage import TerritoryLimits
from caregrid.storage.failover import open_store
from ocw_sidecar.cli import doctor_chain, doctor_sidecar, doctor_storage, findings, options, output
from ocw_sidecar.cli.findings import Finding, find
from ocw_sidecar.ports import utc_now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: Below this a pack and its upload may not fit.
_MIN_FREE_DISK: Final = 1024**3

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="CAREGRID_CONFIG_FILE",
        help="Check the sidecar of this configuration, as its operator.",
    ),
]


def doctor(
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    config: Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Check keys, chain, balance, storage, sidecar and disk; exit code 1 when something is wrong.

    Of an application's profile; of the sidecar itself, with its database and clock, when --config is given.
    """
    found = asyncio.run(_examine(profile) if config is None else doctor_sidecar.examine(config))
    shown = [{"check": one.check, "ok": one.ok, "detail": one.detail} for one in found]
    healthy = all(one.ok for one in found)
    output.result({"healthy": healthy, "checks": shown}, as_json=as_json)
    raise typer.Exit(0 if healthy else 1)


async def _examine(profile: Path) -> list[Finding]:
    disk = findings.disk_at(profile.parent, _MIN_FREE_DISK)
    try:
        client = await EmrClient.from_profile(profile)
    except CaregridError as fault:
        return [Finding(check="profile", ok=False, detail=str(fault)), disk]
    async with client:
        checks: dict[str, Callable[[EmrClient], Awaitable[str]]] = {
            "chain": _chain,
            "balance": _balance,
            "encryption key": _encryption_key,
            "role": _role,
            "sidecar": _sidecar,
        }
        found = [await find(name, check(client)) for name, check in checks.items()]
        known = Profile.load(profile)
        found.append(await find("chain endpoints", doctor_chain.endpoints(known.chain_urls)))
        found += await _storage(client, known)
    return [Finding(check="profile", ok=True, detail=str(profile)), *found, disk]


async def _chain(client: EmrClient) -> str:
    return f"block {(await client.chain.finalized_head()).number} is final"


async def _balance(client: EmrClient) -> str:
    return await findings.balance_of(client.chain, client.identity.account)


async def _encryption_key(client: EmrClient) -> str:
    key = await client.chain.encryption_key(client.identity.account)
    if key is None:
        raise ConfigInvalid("no encryption key is registered, so nobody can grant this account access")
    if key.public_key != client.identity.encryption.public_key:
        raise ConfigInvalid("the chain has another encryption key for this account; restore its key file")
    return f"version {key.version}"


async def _role(client: EmrClient) -> str:
    return await findings.role_of(client.chain, client.identity.account, client.organisation)


async def _storage(client: EmrClient, profile: Profile) -> list[Finding]:
    account, sign = client.identity.account, client.identity.sign
    async with AsyncExitStack() as opened:
        gateways = {}
        for url in profile.gateways:
            gateways[url] = open_store([url], account, sign, profile.territory)
            opened.push_async_callback(gateways[url].close)
        alone = await doctor_storage.gateways(gateways)
    return [*await doctor_storage.examine(client.store, TerritoryLimits(), utc_now()), *alone]


async def _sidecar(client: EmrClient) -> str:
    if client.sidecar is None:
        return "none is used"
    ready = await client.sidecar.ready()
    if not ready.get("ready"):
        raise SidecarUnreachable(f"the sidecar takes nothing in: {', '.join(ready.get('reasons', []))}")
    return "takes records in"
