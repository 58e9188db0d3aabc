"""Follows what organisations share about attackers, from finalized blocks alone."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from caregrid.chain.port import BlockReason, IpBlock, network_of
from caregrid.chain.walking import blocks_until, paged
from caregrid.errors import ProtocolViolation
from caregrid.threats.blocklist import Blocklist

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from caregrid.chain.port import AttackSignature, Chain, Event, IpNet

#: Behind by more blocks, reading everything anew is quicker than following; nodes keep 256 states at least.
MAX_FOLLOWED: Final = 200
#: To come up with the chain, be it by following or anew.
REFRESH_TIMEOUT_S: Final = 120.0
#: Entries of one chain that are kept here; the chain's deposits make more unlikely.
MAX_ENTRIES: Final = 1_000_000


class ThreatFeed:
    """A blocklist and the attack signatures as they stood at block `height`.

    One task at a time may call `refresh`; looking is free for all.
    """

    def __init__(
        self, chain: Chain, *, trusted: Collection[bytes] | None = None, allowed: Sequence[IpNet] = ()
    ) -> None:
        """Begin with nothing; see `Blocklist` for `trusted`, true of signatures, too, and `allowed`."""
        self._chain, self._trusted, self._allowed = chain, trusted, allowed
        self.height: int | None = None  #: None before the first refresh
        self.blocklist = self._empty()
        self.signatures: dict[bytes, AttackSignature] = {}

    async def refresh(self) -> int:
        """Come up with the last finalized block and return its number.

        Raises:
            ChainUnreachable: the node does not answer; what was known stays.
            ProtocolViolation: the chain holds more than fits here.
        """
        async with asyncio.timeout(REFRESH_TIMEOUT_S):
            head = (await self._chain.finalized_head()).number
            if self.height is None or not 0 <= head - self.height <= MAX_FOLLOWED:
                await self._read_all(head)
                head = (await self._chain.finalized_head()).number
            if self.height is not None and head > self.height:
                await self._follow(self.height + 1, head)
        return head

    async def _read_all(self, head: int) -> None:
        """Read everything; what changes meanwhile, following behind `head` sets right."""
        blocklist, signatures = self._empty(), dict[bytes, "AttackSignature"]()
        async with aclosing(paged(self._chain.all_ip_blocks)) as entries:
            async for entry in entries:
                blocklist.add(entry)
                _require_bounded(len(blocklist))
        async with aclosing(paged(self._chain.all_signatures)) as found:
            async for signature in found:
                if self._trusts(signature):
                    signatures[signature.signature_id] = signature
                _require_bounded(len(signatures))
        self.blocklist, self.signatures, self.height = blocklist, signatures, head

    async def _follow(self, start: int, head: int) -> None:
        async with aclosing(blocks_until(self._chain, start, head)) as blocks:
            async for block in blocks:
                for event in block.events:
                    await self._note(event)
                self.height = block.ref.number

    async def _note(self, event: Event) -> None:
        if event.pallet != "Threats":
            return
        match event.name:
            case "IpBlocked":
                self.blocklist.add(blocked_by(event.fields))
            case "IpUnblocked" | "IpBlockExpired":
                self.blocklist.discard(network_of(event.fields["net"]), event.fields["organisation"])
            case "SignatureRegistered":
                found = await self._chain.signature(event.fields["signature"])
                if found is not None and self._trusts(found):  # else it is retired since
                    self.signatures[found.signature_id] = found
            case "SignatureRetired":
                self.signatures.pop(event.fields["signature"], None)

    def _trusts(self, signature: AttackSignature) -> bool:
        return self._trusted is None or signature.organisation in self._trusted

    def _empty(self) -> Blocklist:
        return Blocklist(trusted=self._trusted, allowed=self._allowed)


def blocked_by(fields: Mapping[str, Any]) -> IpBlock:
    """Return the entry that an event `IpBlocked` tells of."""
    return IpBlock(
        net=network_of(fields["net"]),
        organisation=fields["organisation"],
        reason=BlockReason(fields["reason"]),
        expires_at=fields["expires_at"],
    )


def _require_bounded(count: int) -> None:
    if count > MAX_ENTRIES:
        raise ProtocolViolation(f"the chain holds more than {MAX_ENTRIES} entries; trust fewer organisations")
