"""Whether every endpoint of the chain in a list is one of the same chain."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from caregrid.chain import SubstrateChain
from caregrid.errors import CaregridError, ChainUnreachable, ConfigInvalid
from ocw_sidecar.cli.doctor_storage import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Block 0 is one small question to each endpoint.
ENDPOINT_TIMEOUT_S: Final = 10.0


async def endpoints(urls: Sequence[str], genesis: bytes | None = None) -> str:
    """Say how many endpoints answer.

    Args:
        urls: the endpoints, the preferred one first.
        genesis: block 0 of the chain that was followed; by default that of the first endpoint that answers.

    Raises:
        ConfigInvalid: one is of another chain; the message names it.
        ChainUnreachable: one does not answer; likewise.
    """
    found = {url: await _genesis(url) for url in urls}
    expected = genesis or next((each for each in found.values() if each is not None), None)
    foreign = [shown(url) for url, each in found.items() if each is not None and each != expected]
    if foreign:
        raise ConfigInvalid(f"of another chain, so never used: {', '.join(foreign)}; take it off the list")
    silent = [shown(url) for url, each in found.items() if each is None]
    if silent:
        raise ChainUnreachable(f"does not answer: {', '.join(silent)}; start the node or correct its URL")
    return f"{len(found)} of the same chain"


async def _genesis(url: str) -> bytes | None:
    chain = SubstrateChain([url])
    try:
        async with asyncio.timeout(ENDPOINT_TIMEOUT_S):
            block = await chain.block(0)
    except (TimeoutError, CaregridError):
        return None
    finally:
        await chain.close()
    return None if block is None else block.hash
