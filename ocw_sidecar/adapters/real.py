"""Opens the real outside world: the chain, the storage gateway, the key files, the validator."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from caregrid.chain import Genesis, SubstrateChain, SubstrateSubmitter
from caregrid.errors import ConfigInvalid, InputMissing
from caregrid.keys import FileKeyStore, Identity
from caregrid.storage.failover import open_store
from ocw_sidecar.adapters.validating import open_pseudonyms, open_validator
from ocw_sidecar.ports import Ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from caregrid.storage import ObjectStore
    from ocw_sidecar.settings import Settings

T = TypeVar("T")


@asynccontextmanager
async def real_ports(settings: Settings, genesis: bytes | None = None) -> AsyncIterator[Ports]:
    """Open everything the settings name; close it at the end.

    Args:
        settings: what to open.
        genesis: block 0 of the chain that was followed before; an endpoint of another one never serves.

    Raises:
        ConfigInvalid: a key file or the passphrase file is not there, or what records are judged by cannot be
            used.
        KeyStoreLocked: a key file does not open with the passphrase.
    """
    passphrase = await asyncio.to_thread(_read_passphrase, settings.passphrase_path)
    identity = await asyncio.to_thread(_load, Identity.load, settings.operator_path, passphrase)
    key_store = await asyncio.to_thread(_load, FileKeyStore.open, settings.key_store_path, passphrase)
    validation = settings.workers.validation
    pseudonyms = await asyncio.to_thread(open_pseudonyms, validation)
    async with AsyncExitStack() as opened:
        validator = await opened.enter_async_context(open_validator(validation))
        same = Genesis(genesis)
        chain = SubstrateChain(settings.chain_urls, genesis=same)
        opened.push_async_callback(chain.close)
        submitter = SubstrateSubmitter(
            settings.chain_urls, account=identity.account, sign=identity.sign, genesis=same
        )
        opened.push_async_callback(submitter.close)
        store = _store(settings, identity)
        opened.push_async_callback(store.close)
        yield Ports(
            chain=chain,
            submitter=submitter,
            store=store,
            key_store=key_store,
            validator=validator,
            pseudonyms=pseudonyms,
        )


@asynccontextmanager
async def operator_store(settings: Settings) -> AsyncIterator[ObjectStore]:
    """Open the operator's identity and the store alone; close it at the end.

    Raises:
        ConfigInvalid: a file is not there, or a gateway's URL is not usable.
        KeyStoreLocked: the identity does not open with the passphrase.
    """
    store = _store(settings, await _operator(settings))
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def gateway_stores(settings: Settings) -> AsyncIterator[Mapping[str, ObjectStore]]:
    """Open a store for each gateway alone, by its URL; otherwise as `operator_store`."""
    identity = await _operator(settings)
    async with AsyncExitStack() as opened:
        stores = {}
        for url in settings.gateways:
            stores[url] = _store(settings, identity, [url])
            opened.push_async_callback(stores[url].close)
        yield stores


async def _operator(settings: Settings) -> Identity:
    passphrase = await asyncio.to_thread(_read_passphrase, settings.passphrase_path)
    return await asyncio.to_thread(_load, Identity.load, settings.operator_path, passphrase)


def _store(settings: Settings, identity: Identity, urls: Sequence[str] = ()) -> ObjectStore:
    return open_store(
        urls or settings.gateways,
        identity.account,
        identity.sign,
        settings.territory,
        policy=settings.storage.failover(),
        transfers=settings.storage.transfers(),
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
