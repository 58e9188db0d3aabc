"""A chain in memory."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from typing import TYPE_CHECKING

from caregrid.chain.limits import MAX_PAGE
from caregrid.chain.port import BlockRef, Call, Chain, FinalizedBlock, Receipt, Record, Submitter, Tombstone
from caregrid.errors import CaregridError, ChainTimeout, ChainUnreachable
from caregrid.testing import rules

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from caregrid.chain.port import (
        AccessRequest,
        AttackSignature,
        EncryptionKey,
        Event,
        ExpiringPage,
        ExpiryCursor,
        Grant,
        GrantCursor,
        GrantPage,
        IpBlock,
        IpBlockPage,
        IpNet,
        Organisation,
        Patient,
        RecordPage,
        RecordView,
        Scope,
        SignaturePage,
        StoredObject,
    )


class SubmitFault(Enum):
    """What can go wrong with one submitted call."""

    UNREACHABLE = auto()  #: nothing was sent
    LOST = auto()  #: `ChainTimeout`, and the call never runs
    UNHEARD = auto()  #: `ChainTimeout`, but the call runs all the same


@dataclass(frozen=True, slots=True)
class _Pooled:
    signer: bytes
    call: Call
    outcome: asyncio.Future[Receipt]


class MemoryChain(Chain):
    """A chain of one process. Calls wait in a pool until a block takes them; every block is final at once.

    With `finalize_on_submit` each submission makes its own block; without it, call `finalize_block`.
    While `reachable` is False every read and submission raises `ChainUnreachable`.
    While `idle` is False blocks have no time left to remove what has expired.
    """

    def __init__(self, *, finalize_on_submit: bool = True) -> None:
        self.finalize_on_submit = finalize_on_submit
        self.reachable = True
        self.idle = True
        self.time = datetime.now(UTC)
        self.version = 1
        self._state = rules.State()
        self._pool: list[_Pooled] = []
        self._blocks = [FinalizedBlock(ref=_block_ref(0), events=())]
        self._grown = asyncio.Event()

    def submitter(self, account: bytes) -> MemorySubmitter:
        """Return a submitter that signs for an account."""
        return MemorySubmitter(self, account)

    def endow(self, account: bytes, plancks: int) -> None:
        """Give an account tokens out of nothing."""
        self._state.balances[account] = self._state.balances.get(account, 0) + plancks

    def pool(self, signer: bytes, call: Call) -> asyncio.Future[Receipt]:
        """Put a signed call into the pool; the future ends when a block has taken it."""
        self._require_reachable()
        outcome: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._pool.append(_Pooled(signer, call, outcome))
        return outcome

    def finalize_block(self) -> FinalizedBlock:
        """Run every pooled call in a new finalized block and return it."""
        ref = _block_ref(len(self._blocks))
        pooled, self._pool = self._pool, []
        events: list[Event] = []
        for index, each in enumerate(pooled):
            events += self._settle(ref, index, each)
        if self.idle:
            events += rules.idle(self._state, ref.number)
        self._blocks.append(FinalizedBlock(ref=ref, events=tuple(events)))
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()
        return self._blocks[-1]

    async def finalized_head(self) -> BlockRef:
        """Return the last block."""
        self._require_reachable()
        return self._blocks[-1].ref

    async def block(self, number: int) -> BlockRef | None:
        """Return the block of a number."""
        self._require_reachable()
        return self._blocks[number].ref if number < len(self._blocks) else None

    async def block_time(self) -> datetime:
        """Return `time`, which stands still until it is set."""
        self._require_reachable()
        return self.time

    async def spec_version(self) -> int:
        """Return `version`."""
        self._require_reachable()
        return self.version

    async def record(self, record_id: bytes) -> Record | None:
        """Return one record."""
        return (await self.records([record_id])).get(record_id)

    async def records(self, record_ids: Sequence[bytes]) -> dict[bytes, Record]:
        """Return those of the given records that are anchored and not erased."""
        self._require_reachable()
        found = {record_id: self._state.records.get(record_id) for record_id in record_ids}
        return {record_id: entry for record_id, entry in found.items() if isinstance(entry, Record)}

    async def tombstone(self, record_id: bytes) -> Tombstone | None:
        """Return what is left of an erased record."""
        self._require_reachable()
        entry = self._state.records.get(record_id)
        return entry if isinstance(entry, Tombstone) else None

    async def tombstones(self, record_ids: Sequence[bytes]) -> dict[bytes, Tombstone]:
        """Return what is left of those of the given records that were erased."""
        self._require_reachable()
        found = {record_id: self._state.records.get(record_id) for record_id in record_ids}
        return {record_id: entry for record_id, entry in found.items() if isinstance(entry, Tombstone)}

    async def record_view(self, record_id: bytes) -> RecordView | None:
        """Return what stands under an id."""
        self._require_reachable()
        return rules.queries.record_view(self._state, record_id)

    async def records_of_patient(
        self, patient_id: bytes, *, after: bytes | None = None, limit: int = MAX_PAGE
    ) -> RecordPage:
        """Return some of a patient's records."""
        self._require_reachable()
        return rules.queries.records_of_patient(self._state, patient_id, after, limit)

    async def stored_object(self, object_id: bytes) -> StoredObject | None:
        """Return one object."""
        self._require_reachable()
        return self._state.objects.get(object_id)

    async def organisation(self, account: bytes) -> Organisation | None:
        """Return one organisation."""
        self._require_reachable()
        return self._state.organisations.get(account)

    async def patient(self, patient_id: bytes) -> Patient | None:
        """Return one patient."""
        self._require_reachable()
        return self._state.patients.get(patient_id)

    async def encryption_key(self, account: bytes) -> EncryptionKey | None:
        """Return the account's encryption key."""
        self._require_reachable()
        return self._state.keys.get(account)

    async def grant(self, scope: Scope, grantee: bytes) -> Grant | None:
        """Return one grant, live or not."""
        self._require_reachable()
        return self._state.grants.get((scope, grantee))

    async def grants(self, scope: Scope) -> Sequence[Grant]:
        """Return every grant of a scope, live or not."""
        self._require_reachable()
        return [grant for (of, _), grant in self._state.grants.items() if of == scope]

    async def live_grant(self, record_id: bytes, reader: bytes) -> Grant | None:
        """Return the grant that lets `reader` read a record now."""
        head = await self.finalized_head()
        return rules.queries.live_grant(self._state, record_id, reader, head.number)

    async def grants_of_record(
        self, record_id: bytes, *, after: GrantCursor | None = None, limit: int = MAX_PAGE
    ) -> GrantPage:
        """Return some of the live grants that cover a record."""
        head = await self.finalized_head()
        return rules.queries.grants_of_record(self._state, record_id, after, limit, head.number)

    async def expiring_grants(
        self, start: int, end: int, *, after: ExpiryCursor | None = None, limit: int = MAX_PAGE
    ) -> ExpiringPage:
        """Return some of the grants that expire in a range of blocks."""
        self._require_reachable()
        return rules.queries.expiring_grants(self._state, start, end, after, limit)

    async def access_request(self, record_id: bytes, requester: bytes) -> AccessRequest | None:
        """Return one request, live or not."""
        self._require_reachable()
        return self._state.requests.get((record_id, requester))

    async def access_requests(self, record_id: bytes) -> Sequence[AccessRequest]:
        """Return every request for a record, live or not."""
        self._require_reachable()
        return [request for (of, _), request in self._state.requests.items() if of == record_id]

    async def ip_block(self, net: IpNet, organisation: bytes) -> IpBlock | None:
        """Return an organisation's block of exactly this network, live or not."""
        self._require_reachable()
        return self._state.ip_blocks.get((net, organisation))

    async def ip_blocks(self, net: IpNet) -> Sequence[IpBlock]:
        """Return every organisation's block of exactly this network, live or not."""
        self._require_reachable()
        return [entry for (of, _), entry in self._state.ip_blocks.items() if of == net]

    async def all_ip_blocks(self, *, after: bytes | None = None, limit: int = MAX_PAGE) -> IpBlockPage:
        """Return some of all blocked networks, live or not."""
        self._require_reachable()
        return rules.queries.all_ip_blocks(self._state, after, limit)

    async def signature(self, signature_id: bytes) -> AttackSignature | None:
        """Return one attack signature."""
        self._require_reachable()
        return self._state.signatures.get(signature_id)

    async def all_signatures(self, *, after: bytes | None = None, limit: int = MAX_PAGE) -> SignaturePage:
        """Return some of all attack signatures."""
        self._require_reachable()
        return rules.queries.all_signatures(self._state, after, limit)

    async def balance(self, account: bytes) -> int:
        """Return what `endow` and transfers left the account."""
        self._require_reachable()
        return self._state.balances.get(account, 0)

    async def finalized_blocks(self, start: int) -> AsyncIterator[FinalizedBlock]:
        """Yield every block from number `start` on, for ever."""
        number = start
        while True:
            grown = self._grown
            while number < len(self._blocks):
                yield self._blocks[number]
                number += 1
            await grown.wait()

    async def close(self) -> None:
        """Leave everything as it is: the chain outlives its clients."""

    def _settle(self, ref: BlockRef, index: int, pooled: _Pooled) -> Sequence[Event]:
        try:
            events = rules.run(self._state, pooled.signer, pooled.call, ref.number)
        except CaregridError as exc:
            if not pooled.outcome.done():
                pooled.outcome.set_exception(exc)
            return ()
        hashed = hashlib.blake2b(ref.hash + index.to_bytes(4, "little"), digest_size=32).digest()
        if not pooled.outcome.done():
            pooled.outcome.set_result(Receipt(block=ref, extrinsic_hash=hashed, events=events))
        return events

    def _require_reachable(self) -> None:
        if not self.reachable:
            raise ChainUnreachable


class MemorySubmitter(Submitter):
    """Signs for one account on a :class:`MemoryChain`; put faults into `faults`, one is used up per call."""

    def __init__(self, chain: MemoryChain, account: bytes) -> None:
        self.account = account
        self.faults: deque[SubmitFault] = deque()
        self.submitted = 0  #: calls that were sent, executed or not
        self._chain = chain

    async def submit(self, call: Call) -> Receipt:
        """Submit one call; see `Submitter.submit`."""
        result = (await self.submit_many([call]))[0]
        if isinstance(result, Exception):
            raise result
        return result

    async def submit_many(self, calls: Iterable[Call]) -> list[Receipt | Exception]:
        """Submit several calls, all in one block; see `Submitter.submit_many`."""
        sent = [self._send(call) for call in calls]
        if self._chain.finalize_on_submit:
            self._chain.finalize_block()
        return [each if isinstance(each, Exception) else await _outcome(each) for each in sent]

    async def close(self) -> None:
        """Nothing to release."""

    def _send(self, call: Call) -> asyncio.Future[Receipt] | CaregridError:
        fault = self.faults.popleft() if self.faults else None
        if fault is SubmitFault.UNREACHABLE or not self._chain.reachable:
            return ChainUnreachable()
        self.submitted += 1
        if fault is SubmitFault.LOST:
            return ChainTimeout()
        outcome = self._chain.pool(self.account, call)
        if fault is SubmitFault.UNHEARD:
            outcome.cancel()
            return ChainTimeout()
        return outcome


async def _outcome(pooled: asyncio.Future[Receipt]) -> Receipt | Exception:
    try:
        return await pooled
    except CaregridError as exc:
        return exc


def _block_ref(number: int) -> BlockRef:
    return BlockRef(
        number=number, hash=hashlib.blake2b(number.to_bytes(8, "little"), digest_size=32).digest()
    )
