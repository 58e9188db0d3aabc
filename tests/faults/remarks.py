"""Calls that can be counted: each leaves an event of its own, however often it is executed."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from typing import TYPE_CHECKING, Final

from caregrid.chain import Call, SubstrateChain, SubstrateSubmitter, calls
from caregrid.keys import Identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.chain import Event, Genesis

#: The development genesis endows it.
FUNDER: Final = "//Alice//stash"
FUNDS: Final = 10**15


def submitter(identity: Identity, *urls: str, genesis: Genesis | bytes | None = None) -> SubstrateSubmitter:
    """Return a submitter for one account."""
    return SubstrateSubmitter(urls, account=identity.account, sign=identity.sign, genesis=genesis)


def funded(url: str, count: int) -> list[Identity]:
    """Return new accounts with tokens."""
    made = [Identity.generate() for _ in range(count)]

    async def transfer() -> None:
        funder = submitter(Identity.from_uri(FUNDER), url)
        await funder.submit(calls.batch_all([calls.transfer(one.account, FUNDS) for one in made]))
        await funder.close()

    asyncio.run(transfer())
    return made


def remark(content: bytes | None = None) -> Call:
    """Return a call that says something, by default something that nobody has said."""
    said = secrets.token_bytes(16) if content is None else content
    return Call(pallet="System", function="remark_with_event", params={"remark": "0x" + said.hex()})


def digest(call: Call) -> bytes:
    """Return what the event of a remark shows."""
    return hashlib.blake2b(bytes.fromhex(call.params["remark"][2:]), digest_size=32).digest()


async def said(url: str, who: bytes, start: int = 1) -> list[bytes]:
    """Return the digests of what somebody has said in all finalized blocks from `start`, in order."""
    chain = SubstrateChain([url])
    try:
        return [digest for _, digest in await _remarks(chain, who, start)]
    finally:
        await chain.close()


async def reach(url: str, number: int) -> None:
    """Wait until a block is final."""
    chain = SubstrateChain([url])
    try:
        await anext(aiter(chain.finalized_blocks(number)))
    finally:
        await chain.close()


async def _remarks(chain: SubstrateChain, who: bytes, start: int) -> list[tuple[int, bytes]]:
    head = (await chain.finalized_head()).number
    found: list[tuple[int, bytes]] = []
    async for block in chain.finalized_blocks(start):
        found += [(block.ref.number, digest) for digest in remarked(block.events, who)]
        if block.ref.number >= head:
            return found
    raise AssertionError("blocks never end")


def remarked(events: Sequence[Event], who: bytes) -> list[bytes]:
    """Return the digests of what somebody says in a block."""
    return [
        event.fields["hash"]
        for event in events
        if (event.pallet, event.name) == ("System", "Remarked") and event.fields["sender"] == who
    ]
