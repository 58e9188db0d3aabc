"""Opens the chain and the keys of who signs for it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from caregrid.chain import Genesis, SubstrateChain, SubstrateSubmitter
from caregrid.errors import ConfigInvalid, InputMissing
from caregrid.keys import Identity
from ocw_sidecar.adapters.key_stores import read_passphrase
from ocw_sidecar.adapters.opening import open_cache
from ocw_sidecar.ports import ChainPorts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ocw_sidecar.settings import Settings

#: What the secret is for by which entries of the cache are known to be ours.
_CACHE: Final = b"chain-cache/v1"


@asynccontextmanager
async def chain_ports(settings: Settings, genesis: bytes | None = None) -> AsyncIterator[ChainPorts]:
    """Open the operator's identity and the chain alone; close it at the end.

    Args:
        settings: what to open.
        genesis: block 0 of the chain that was followed before; an endpoint of another one never serves.

    Raises:
        ConfigInvalid: a key file or the passphrase file is not there.
        KeyStoreLocked: the identity does not open with the passphrase.
    """
    async with open_chain(settings, await load_identity(settings, settings.operator_path), genesis) as ports:
        yield ports


@asynccontextmanager
async def open_chain(
    settings: Settings, identity: Identity, genesis: bytes | None
) -> AsyncIterator[ChainPorts]:
    """Open the chain for an identity; close it at the end. Arguments as of `chain_ports`."""
    same, cache = Genesis(genesis), open_cache(settings, identity.derive(_CACHE))
    async with AsyncExitStack() as opened:
        if cache is not None:
            opened.callback(cache.close)
        chain = SubstrateChain(settings.chain_urls, genesis=same, cache=cache)
        opened.push_async_callback(chain.close)
        submitter = SubstrateSubmitter(
            settings.chain_urls, account=identity.account, sign=identity.sign, genesis=same
        )
        opened.push_async_callback(submitter.close)
        yield ChainPorts(chain=chain, submitter=submitter, cached=None if cache is None else cache.counts)


async def load_identity(settings: Settings, path: Path) -> Identity:
    """Return the identity in a file.

    Raises:
        ConfigInvalid: there is no such file, or no passphrase.
        KeyStoreLocked: it does not open with the passphrase.
    """
    passphrase = await asyncio.to_thread(read_passphrase, settings.passphrase_path)
    return await asyncio.to_thread(_load, path, passphrase)


def _load(path: Path, passphrase: str) -> Identity:
    try:
        return Identity.load(path, passphrase)
    except InputMissing as exc:
        raise ConfigInvalid(f"there is no key file {path}; put it there, or configure its path") from exc
