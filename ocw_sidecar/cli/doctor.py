"""`caregrid doctor`: what works, what does not, and what to do."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import typer

from caregrid.client import EmrClient
from caregrid.errors import CaregridError, ConfigInvalid, SidecarUnreachable
from ocw_sidecar.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

#: Below this a pack and its upload may not fit.
_MIN_FREE_DISK: Final = 1024**3
_PLANCKS: Final = 10**12


@dataclass(frozen=True, kw_only=True, slots=True)
class _Finding:
    check: str
    ok: bool
    detail: str


def doctor(profile: options.ProfilePath = options.DEFAULT_PROFILE, as_json: options.AsJson = False) -> None:
    """Check profile, keys, chain, balance, storage, sidecar and disk; exit code 1 when something is wrong."""
    findings = asyncio.run(_examine(profile))
    shown = [{"check": one.check, "ok": one.ok, "detail": one.detail} for one in findings]
    healthy = all(one.ok for one in findings)
    output.result({"healthy": healthy, "checks": shown}, as_json=as_json)
    raise typer.Exit(0 if healthy else 1)


async def _examine(profile: Path) -> list[_Finding]:
    try:
        client = await EmrClient.from_profile(profile)
    except CaregridError as fault:
        return [_Finding(check="profile", ok=False, detail=str(fault)), _disk(profile)]
    async with client:
        checks: dict[str, Callable[[EmrClient], Awaitable[str]]] = {
            "chain": _chain,
            "balance": _balance,
            "encryption key": _encryption_key,
            "role": _role,
            "storage": _storage,
            "sidecar": _sidecar,
        }
        findings = [await _find(name, check(client)) for name, check in checks.items()]
    return [_Finding(check="profile", ok=True, detail=str(profile)), *findings, _disk(profile)]


async def _find(name: str, check: Awaitable[str]) -> _Finding:
    try:
        return _Finding(check=name, ok=True, detail=await check)
    except CaregridError as fault:
        return _Finding(check=name, ok=False, detail=str(fault))


async def _chain(client: EmrClient) -> str:
    return f"block {(await client.chain.finalized_head()).number} is final"


async def _balance(client: EmrClient) -> str:
    balance = await client.chain.balance(client.identity.account)
    if balance == 0:
        raise ConfigInvalid("the account holds no tokens, so it can pay no fee; transfer some to it")
    return f"{balance / _PLANCKS:.3f} tokens free"


async def _encryption_key(client: EmrClient) -> str:
    key = await client.chain.encryption_key(client.identity.account)
    if key is None:
        raise ConfigInvalid("no encryption key is registered, so nobody can grant this account access")
    if key.public_key != client.identity.encryption.public_key:
        raise ConfigInvalid("the chain has another encryption key for this account; restore its key file")
    return f"version {key.version}"


async def _role(client: EmrClient) -> str:
    if client.organisation == client.identity.account:
        return "acts for itself"
    organisation = await client.chain.organisation(client.organisation)
    if organisation is None:
        raise ConfigInvalid("the profile's organisation is not registered on the chain")
    if client.identity.account not in organisation.operators:
        raise ConfigInvalid("the account is no operator of the organisation; it must call `set_operators`")
    return "operator of its organisation"


async def _storage(client: EmrClient) -> str:
    await client.store.stat(bytes(32))
    return "the gateway answers"


async def _sidecar(client: EmrClient) -> str:
    if client.sidecar is None:
        return "none is used"
    ready = await client.sidecar.ready()
    if not ready.get("ready"):
        raise SidecarUnreachable(f"the sidecar takes nothing in: {', '.join(ready.get('reasons', []))}")
    return "takes records in"


def _disk(profile: Path) -> _Finding:
    folder = profile.parent if profile.parent.is_dir() else profile.home()
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1024**3:.1f} GiB free"
    if free < _MIN_FREE_DISK:
        detail += "; less than 1 GiB: free some space"
    return _Finding(check="disk", ok=free >= _MIN_FREE_DISK, detail=detail)
