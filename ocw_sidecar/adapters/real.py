"""Opens the real outside world: the chain, the storage gateway, the key store, the validator."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caregrid.storage.failover import open_store
from ocw_sidecar.adapters.cess import CessProofs, CessStore, open_reader
from ocw_sidecar.adapters.chain import load_identity, open_chain
from ocw_sidecar.adapters.key_stores import open_key_store
from ocw_sidecar.adapters.proving import open_proving
from ocw_sidecar.adapters.validating import open_pseudonyms, open_validator
from ocw_sidecar.ports import Ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from caregrid.keys import Identity
    from caregrid.storage import ObjectStore
    from ocw_sidecar.ports import NetworkProofs
    from ocw_sidecar.settings import Settings


@asynccontextmanager
async def real_ports(
    settings: Settings, genesis: bytes | None = None, *, proving: bool = False
) -> AsyncIterator[Ports]:
    """Open everything the settings name; close it at the end.

    Args:
        settings: what to open.
        genesis: block 0 of the chain that was followed before; an endpoint of another one never serves.
        proving: open what proofs of storage need, too; the secret proof key is made where there is none.

    Raises:
        ConfigInvalid: a key file or the passphrase file is not there, or what records are judged by cannot be
            used.
        KeyStoreLocked: a key file does not open with the passphrase, or the key store refuses token or PIN.
        KeyStoreUnreachable: the key store does not answer.
    """
    identity, owner = await load_identity(settings, settings.operator_path), await _owner_of_objects(settings)
    validation = settings.workers.validation
    pseudonyms = await asyncio.to_thread(open_pseudonyms, validation)
    async with AsyncExitStack() as opened:
        key_store = await asyncio.to_thread(open_key_store, settings)
        opened.callback(key_store.close)
        validator = await opened.enter_async_context(open_validator(validation))
        on_chain = await opened.enter_async_context(open_chain(settings, identity, genesis))
        storage = await opened.enter_async_context(_storage(settings, owner))
        yield Ports(
            chain=on_chain.chain,
            submitter=on_chain.submitter,
            cached=on_chain.cached,
            store=storage.store,
            proofs=storage.proofs,
            proving=await opened.enter_async_context(open_proving(settings, identity)) if proving else None,
            key_store=key_store,
            validator=validator,
            pseudonyms=pseudonyms,
        )


@asynccontextmanager
async def operator_store(settings: Settings) -> AsyncIterator[ObjectStore]:
    """Open the identity that owns the objects and the store alone; close it at the end.

    Raises:
        ConfigInvalid: a file is not there, or a gateway's URL is not usable.
        KeyStoreLocked: the identity does not open with the passphrase.
    """
    async with _storage(settings, await _owner_of_objects(settings)) as storage:
        yield storage.store


@asynccontextmanager
async def gateway_stores(settings: Settings) -> AsyncIterator[Mapping[str, ObjectStore]]:
    """Open a store for each gateway alone, by its URL; otherwise as `operator_store`."""
    identity = await _owner_of_objects(settings)
    async with AsyncExitStack() as opened:
        stores = {}
        for url in settings.gateways:
            stores[url] = _store(settings, identity, [url])
            opened.push_async_callback(stores[url].close)
        yield stores


@dataclass(frozen=True, kw_only=True, slots=True)
class _Storage:
    store: ObjectStore
    proofs: NetworkProofs | None


@asynccontextmanager
async def _storage(settings: Settings, identity: Identity) -> AsyncIterator[_Storage]:
    async with AsyncExitStack() as opened:
        gateways, cess = _store(settings, identity), settings.storage.cess
        opened.push_async_callback(gateways.close)
        if not cess.is_used:
            yield _Storage(store=gateways, proofs=None)
            return
        reader = await opened.enter_async_context(open_reader(cess))
        store = CessStore(gateways, reader, identity.account, settings.territory)
        yield _Storage(store=store, proofs=CessProofs(reader))


async def _owner_of_objects(settings: Settings) -> Identity:
    return await load_identity(settings, settings.storage.identity_file or settings.operator_path)


def _store(settings: Settings, identity: Identity, urls: Sequence[str] = ()) -> ObjectStore:
    return open_store(
        urls or settings.gateways,
        identity.account,
        identity.sign,
        settings.territory,
        policy=settings.storage.failover(),
        transfers=settings.storage.transfers(),
    )
