"""Opens the real outside world: the chain, the storage gateway, the key files, the validator."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from caregrid.chain import Genesis, SubstrateChain, SubstrateSubmitter
from caregrid.errors import ConfigInvalid, InputMissing
from caregrid.fhir import FhirValidator
from caregrid.keys import FileKeyStore, Identity
from caregrid.storage import DeossStore
from ocw_sidecar.ports import Ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from ocw_sidecar.settings import Settings

T = TypeVar("T")


@asynccontextmanager
async def real_ports(settings: Settings, genesis: bytes | None = None) -> AsyncIterator[Ports]:
    """Open everything the settings name; close it at the end.

    Args:
        settings: what to open.
        genesis: block 0 of the chain that was followed before; an endpoint of another one never serves.

    Raises:
        ConfigInvalid: a key file or the passphrase file is not there.
        KeyStoreLocked: a key file does not open with the passphrase.
    """
    passphrase = await asyncio.to_thread(_read_passphrase, settings.passphrase_path)
    identity = await asyncio.to_thread(_load, Identity.load, settings.operator_path, passphrase)
    key_store = await asyncio.to_thread(_load, FileKeyStore.open, settings.key_store_path, passphrase)
    validator = FhirValidator()
    await asyncio.to_thread(validator.warm_up)
    async with AsyncExitStack() as opened:
        same = Genesis(genesis)
        chain = SubstrateChain(settings.chain_urls, genesis=same)
        opened.push_async_callback(chain.close)
        submitter = SubstrateSubmitter(
            settings.chain_urls, account=identity.account, sign=identity.sign, genesis=same
        )
        opened.push_async_callback(submitter.close)
        store = DeossStore(settings.gateway_url, identity.account, identity.sign, settings.territory)
        opened.push_async_callback(store.close)
        yield Ports(
            chain=chain,
            submitter=submitter,
            store=store,
            key_store=key_store,
            validator=validator,
        )


def _load(opener: Callable[[Path, str], T], path: Path, passphrase: str) -> T:
    try:
        return opener(path, passphrase)
    except InputMissing as exc:
        raise ConfigInvalid(f"there is no key file {path}; put it there, or configure its path") from exc


def _read_passphrase(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except FileNotFoundError as exc:
        raise ConfigInvalid(
            f"there is no passphrase file {path}; write one, or set CAREGRID_PASSPHRASE_FILE"
        ) from exc
