"""What applications ask and tell about attackers: `EmrClient.threats`."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from caregrid.chain import calls
from caregrid.chain.limits import MAX_BLOCK_DURATION
from caregrid.errors import InputInvalid, Recoverable
from caregrid.sealed.ids import new_record_id
from caregrid.threats.blocklist import parse_address, parse_network
from caregrid.threats.feed import ThreatFeed

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from caregrid.chain.port import AttackSignature, Call, Chain, IpBlock, IpNet, Receipt, Submitter
    from caregrid.threats.blocklist import IpAddress

#: A day of blocks of two seconds.
DEFAULT_BLOCKS: Final = 43_200
#: What is known is asked of the chain again when it is older than this.
MAX_AGE_S: Final = 30.0
#: After the chain was asked in vain.
RETRY_S: Final = 5.0
#: With the chain away, what is known answers until it is older than this.
MAX_STALE_S: Final = 3600.0


class Threats:
    """Blocked networks and attack signatures, by a list in memory that follows the chain."""

    def __init__(self, chain: Chain, submitter: Submitter, organisation: bytes) -> None:
        self._chain, self._submitter, self._organisation = chain, submitter, organisation
        self._feed = ThreatFeed(chain)
        self._lock = asyncio.Lock()
        # By the monotonic clock: when the chain is to be asked again, and when it answered last.
        self._due, self._seen = 0.0, float("-inf")

    def trust(self, organisations: Collection[bytes] | None, *, allowed: Sequence[IpNet] = ()) -> None:
        """Heed entries of these organisations only (None: all), and never those of the allowed networks.

        What is known is read anew with the next question.
        """
        self._feed = ThreatFeed(self._chain, trusted=organisations, allowed=allowed)
        self._due, self._seen = 0.0, float("-inf")

    async def is_blocked(self, address: str | IpAddress) -> bool:
        """Tell whether an address is blocked now, by what is known of the chain for at most 30 s.

        Raises:
            InputInvalid: it is no address.
            ChainUnreachable: nothing is known yet, or nothing newer than an hour.
        """
        return await self.covering(address) is not None

    async def covering(self, address: str | IpAddress) -> IpBlock | None:
        """Return the entry by which an address is blocked now, the narrowest; raises as `is_blocked`."""
        parsed = parse_address(address)
        feed = await self._current()
        return feed.blocklist.covering(parsed, at_block=feed.height or 0)

    async def networks(self) -> list[IpNet]:
        """Return what is blocked now as disjoint networks; see `caregrid.threats.Export` for firewalls.

        Raises:
            ChainUnreachable: as with `is_blocked`.
        """
        feed = await self._current()
        return await asyncio.to_thread(feed.blocklist.networks, at_block=feed.height or 0)

    async def signatures(self) -> list[AttackSignature]:
        """Return the attack signatures, the oldest first; raises as `networks`."""
        found = (await self._current()).signatures.values()
        return sorted(found, key=lambda each: (each.registered_at, each.signature_id))

    async def block(self, net: str | IpNet, *, reason: str, blocks: int = DEFAULT_BLOCKS) -> Receipt:
        """Block a network for everybody who heeds this organisation; an earlier entry is replaced.

        Args:
            net: an address, or a network in CIDR notation.
            reason: one of `caregrid.chain.BlockReason`.
            blocks: how long, in blocks of 2 seconds; 90 days at most.

        Raises:
            InputInvalid: one of these is not usable.
            CallRejected: this identity does not act for the organisation.
        """
        if not 1 <= blocks <= MAX_BLOCK_DURATION:
            raise InputInvalid(f"blocks must be 1 to {MAX_BLOCK_DURATION}")
        parsed = parse_network(net) if isinstance(net, str) else net
        head = await self._chain.finalized_head()
        call = calls.block_ip(self._organisation, parsed, reason=reason, expires_at=head.number + blocks)
        return await self._submitted(call)

    async def unblock(self, net: str | IpNet) -> Receipt:
        """Withdraw this organisation's entry of exactly this network.

        Raises:
            CallRejected: `BlockUnknown`: there is none.
        """
        parsed = parse_network(net) if isinstance(net, str) else net
        return await self._submitted(calls.unblock_ip(self._organisation, parsed))

    async def register_signature(
        self,
        pattern: str | bytes,
        *,
        format: str,  # noqa: A002 - the field's name
        severity: str,
        signature_id: bytes | None = None,
    ) -> bytes:
        """Share what an attack looks like; return its 16-byte id.

        Args:
            pattern: 1 to 2,048 bytes, text as UTF-8; it is public for ever, so nothing of a patient in it.
            format: one of `caregrid.chain.SignatureFormat`.
            severity: one of `caregrid.chain.Severity`.
            signature_id: drawn, where none is given.

        Raises:
            InputInvalid: one of these is not usable.
            CallRejected: this identity does not act for the organisation, or the id is taken.
        """
        chosen = new_record_id() if signature_id is None else signature_id
        text = pattern.encode() if isinstance(pattern, str) else pattern
        call = calls.register_signature(
            self._organisation, chosen, format=format, severity=severity, pattern=text
        )
        await self._submitted(call)
        return chosen

    async def retire_signature(self, signature_id: bytes) -> Receipt:
        """Withdraw a signature of this organisation; raises `CallRejected` where it has none of this id."""
        return await self._submitted(calls.retire_signature(self._organisation, signature_id))

    async def _submitted(self, call: Call) -> Receipt:
        receipt = await self._submitter.submit(call)
        self._due = 0.0  # the next question sees it
        return receipt

    async def _current(self) -> ThreatFeed:
        if time.monotonic() >= self._due:
            async with self._lock:
                if time.monotonic() >= self._due:
                    await self._refresh()
        return self._feed

    async def _refresh(self) -> None:
        asked = time.monotonic()
        self._due = asked + RETRY_S
        try:
            await self._feed.refresh()
        except (Recoverable, TimeoutError):
            if asked - self._seen > MAX_STALE_S:
                self._due = 0.0
                raise
        else:
            self._due, self._seen = asked + MAX_AGE_S, asked
