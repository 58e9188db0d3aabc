"""`caregrid keys doctor`: whether keys open, who may read them, and whether the chain knows the right one."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caregrid.chain import SubstrateChain
from caregrid.errors import CaregridError, ConfigInvalid, InputMissing
from caregrid.keys import Identity, encode_account
from caregrid.profile import Profile
from ocw_sidecar.adapters.key_stores import open_key_store, read_passphrase
from ocw_sidecar.cli import doctor_keys, options, output
from ocw_sidecar.cli.findings import Finding, find
from ocw_sidecar.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

Config = Annotated[
    Path | None,
    typer.Option("--config", envvar="CAREGRID_CONFIG_FILE", help="Check this sidecar's keys."),
]


def doctor(
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    config: Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Check the keys of a profile, or with --config a sidecar's; exit code 1 when something is wrong."""
    found = asyncio.run(_of_profile(profile) if config is None else of_sidecar(config))
    healthy = all(one.ok for one in found)
    shown = [{"check": one.check, "ok": one.ok, "detail": one.detail} for one in found]
    output.result({"healthy": healthy, "checks": shown}, as_json=as_json)
    raise typer.Exit(0 if healthy else 1)


async def of_sidecar(config: Path) -> list[Finding]:
    """Look at the key store of a sidecar, and at its operator's keys."""
    try:
        settings = Settings.load(config)
    except CaregridError as fault:
        return [Finding(check="configuration", ok=False, detail=str(fault))]
    return [
        await find("key files", doctor_keys.modes(settings)),
        await find("key store", _key_store(settings)),
        *await _identity(
            settings.operator_path, settings.passphrase_path, settings.chain_urls, must_be_known=False
        ),
    ]


async def _of_profile(path: Path) -> list[Finding]:
    try:
        known = Profile.load(path)
    except CaregridError as fault:
        return [Finding(check="profile", ok=False, detail=str(fault))]
    files = [known.identity_file, known.passphrase_file, known.token_file]
    return [
        await find("key files", doctor_keys.private([each for each in files if each is not None])),
        *await _identity(known.identity_file, known.passphrase_file, known.chain_urls, must_be_known=True),
    ]


async def _key_store(settings: Settings) -> str:
    with closing(await asyncio.to_thread(open_key_store, settings)) as store:
        return await doctor_keys.works(settings, store)


async def _identity(
    path: Path, passphrase: Path, chain_urls: Sequence[str], *, must_be_known: bool
) -> list[Finding]:
    try:
        identity = await asyncio.to_thread(_opened, path, passphrase)
    except CaregridError as fault:
        return [Finding(check="identity", ok=False, detail=str(fault))]
    return [
        Finding(check="identity", ok=True, detail=encode_account(identity.account)),
        await find("encryption key", _on_chain(identity, chain_urls, must_be_known=must_be_known)),
    ]


async def _on_chain(identity: Identity, chain_urls: Sequence[str], *, must_be_known: bool) -> str:
    chain = SubstrateChain(chain_urls)
    try:
        known = await chain.encryption_key(identity.account)
    finally:
        await chain.close()
    if known is None and must_be_known:
        raise ConfigInvalid("no encryption key is registered, so nobody can grant this account access")
    if known is None:
        return "none is registered; only an account that reads needs one"
    if known.public_key != identity.encryption.public_key:
        raise ConfigInvalid("the chain has another encryption key for this account; restore its key file")
    return f"version {known.version} on the chain is the one in the file"


def _opened(path: Path, passphrase: Path) -> Identity:
    try:
        return Identity.load(path, read_passphrase(passphrase))
    except InputMissing as exc:
        raise ConfigInvalid(f"there is no key file {path}; put it there, or configure its path") from exc
