"""pending → submitted → confirmed: puts what we want of blocked networks and signatures on the chain.

Each entry is claimed before anything is sent, so that of two that run at the same time only one sends it; and
what was sent without an answer is looked up before it is sent again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.chain import calls
from caregrid.chain.limits import MAX_BLOCK_DURATION
from caregrid.chain.refusals.threats import BlockUnknown, SignatureExists, SignatureUnknown
from caregrid.errors import CallRejected, CaregridError, ChainTimeout, Recoverable
from ocw_sidecar.background.items import BLOCK_S, Kind, NewBlock, NewSignature, Settled, Status, Wish
from ocw_sidecar.pipeline.faults import reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from caregrid.chain.port import Call, Receipt
    from ocw_sidecar.background.items import Entry
    from ocw_sidecar.background.port import ThreatTables
    from ocw_sidecar.ports import ChainPorts
    from ocw_sidecar.settings.background import BackgroundSettings
    from ocw_sidecar.workers.background.report import Part

#: The time of a network is over before it was ever sent.
EXPIRED: Final = "EXPIRED"
#: While one waits until its calls are final, another encodes and signs the next.
LANES: Final = 2
#: Sent, and not heard of within the confirmation timeout.
NOT_CONFIRMED: Final = "NOT_CONFIRMED"
#: What a claim lasts beyond the wait for confirmation: looking things up, and writing down.
LEASE_MARGIN: Final = timedelta(minutes=1)
#: For looking entries up, one by one, before they are sent.
LOOK_TIMEOUT_S: Final = 30.0

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How often, and how long."""

    max_retries: int
    retry_delay_s: float


@dataclass(kw_only=True, slots=True)
class _Errand:
    """What the lanes of one run share."""

    kind: Kind
    part: Part
    patience: Patience
    left: int  #: entries that may still be claimed
    over: bool = False  #: nothing more is to be claimed
    #: Held while entries are claimed, and while they are given back: what one gives up, no other takes again.
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def note(self, settled: Sequence[Settled], *, last: bool) -> bool:
        """Count outcomes; return whether some are not at their end. After the last try they are left so."""
        passing = [each for each in settled if each.status in {Status.PENDING, Status.SUBMITTED}]
        _count(self.part, settled)
        if not passing:
            return False
        if last or passing[0].status is Status.SUBMITTED:
            self.part.failed, self.part.reason = self.part.failed + len(passing), passing[0].reason
            self.over = True
        else:
            self.part.found -= len(passing)
            self.left += len(passing)
        return True


class Sending:
    """Sends one organisation's entries by one submitter."""

    def __init__(
        self, ports: ChainPorts, organisation: bytes, tables: ThreatTables, settings: BackgroundSettings
    ) -> None:
        self._ports, self._organisation, self._tables = ports, organisation, tables
        self._settings = settings
        self._lease = timedelta(seconds=settings.confirmation_timeout_s) + LEASE_MARGIN

    async def run(self, kind: Kind, part: Part, patience: Patience) -> None:
        """Send what is due of one kind; what fails stays pending, for the next run."""
        part.found = 0
        errand = _Errand(kind=kind, part=part, patience=patience, left=self._settings.max_entries)
        lanes = [self._lane(errand) for _ in range(LANES)]
        for outcome in await asyncio.gather(*lanes, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _lane(self, errand: _Errand) -> None:
        retries = 0
        while entries := await self._taken(errand):
            settled = await self._sent(errand.kind, entries)
            async with errand.turn:
                await self._tables.settle(settled, now=self._ports.now())
                passing = errand.note(settled, last=retries == errand.patience.max_retries)
            if passing and not errand.over:
                await asyncio.sleep(errand.patience.retry_delay_s * 2**retries)
                retries += 1

    async def _taken(self, errand: _Errand) -> list[Entry]:
        """Claim what this lane sends next; nothing when another lane has found out that it is no use."""
        now = self._ports.now()
        async with errand.turn:
            limit = min(self._settings.batch * self._settings.batches, errand.left)
            if errand.over or not limit:
                return []
            entries = await self._tables.claim(errand.kind, limit, now=now, until=now + self._lease)
            errand.left -= len(entries)
            return entries

    async def _sent(self, kind: Kind, entries: Sequence[Entry]) -> list[Settled]:
        """Return what became of entries."""
        now = self._ports.now()
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                settled, missing = await self._look(entries)
                head = await self._ports.chain.finalized_head()
        except (Recoverable, TimeoutError) as exc:
            settled, missing = [self._again(entry, exc) for entry in entries], []
        else:
            settled += [_over(entry) for entry in missing if _is_over(entry, now)]
            missing = [_ending(entry, head.number, now) for entry in missing if not _is_over(entry, now)]
        settled += await self._send(missing)
        log.info("threats_sent", kind=kind.value, statuses=_statuses(settled))
        return settled

    async def _look(self, entries: Sequence[Entry]) -> tuple[list[Settled], list[Entry]]:
        """Return what an earlier attempt has done after all, and what is left to be sent."""
        settled, missing = [], []
        for entry in entries:
            block = await self._standing(entry) if entry.sent_until is not None else None
            if block is None:
                missing.append(entry)
            else:
                settled.append(Settled(entry=entry, status=Status.CONFIRMED, block=block))
        return settled, missing

    async def _standing(self, entry: Entry) -> int | None:
        """Return a block in which the chain is as wanted, if it is."""
        chain, wanted = self._ports.chain, entry.wanted
        head = await chain.finalized_head()
        if isinstance(wanted, NewBlock):
            found = await chain.ip_block(wanted.net, self._organisation)
            if entry.wish is Wish.GO:
                return head.number if found is None else None
            same = found is not None and (found.reason, found.expires_at) == (wanted.reason, entry.sent_until)
            return head.number if same else None
        there = await self._is_registered(wanted)
        return head.number if there == (entry.wish is Wish.STAND) else None

    async def _is_registered(self, wanted: NewSignature) -> bool:
        found = await self._ports.chain.signature(wanted.signature_id)
        return found is not None and (found.organisation, found.pattern) == (
            self._organisation,
            wanted.pattern,
        )

    async def _send(self, entries: Sequence[Entry]) -> list[Settled]:
        if not entries:
            return []
        await self._tables.note_sending([entry for entry in entries if isinstance(entry.wanted, NewBlock)])
        wanted = [self._call(entry) for entry in entries]
        try:
            async with asyncio.timeout(self._settings.confirmation_timeout_s):
                outcomes = await self._outcomes(wanted)
        except (CaregridError, TimeoutError) as exc:
            return [await self._settled(entry, exc) for entry in entries]
        return [await self._settled(*each) for each in zip(entries, outcomes, strict=True)]

    async def _outcomes(self, wanted: Sequence[Call]) -> Sequence[Receipt | Exception]:
        """Send in batches, all at once. Of one that is refused none was made: single calls tell which."""
        size, submitter = self._settings.batch, self._ports.submitter
        parts = [wanted[start : start + size] for start in range(0, len(wanted), size)]
        whole = [calls.batch_all(part) if len(part) > 1 else part[0] for part in parts]
        found: list[Receipt | Exception] = []
        for part, outcome in zip(parts, await submitter.submit_many(whole), strict=True):
            if isinstance(outcome, CallRejected) and len(part) > 1:
                found += await submitter.submit_many(part)
            else:
                found += [outcome] * len(part)
        return found

    def _call(self, entry: Entry) -> Call:
        wanted, organisation = entry.wanted, self._organisation
        if isinstance(wanted, NewBlock):
            if entry.wish is Wish.GO:
                return calls.unblock_ip(organisation, wanted.net)
            assert entry.sent_until is not None  # noqa: S101 - `_ending` has set it
            return calls.block_ip(organisation, wanted.net, reason=wanted.reason, expires_at=entry.sent_until)
        if entry.wish is Wish.GO:
            return calls.retire_signature(organisation, wanted.signature_id)
        return calls.register_signature(
            organisation,
            wanted.signature_id,
            format=wanted.format,
            severity=wanted.severity,
            pattern=wanted.pattern,
        )

    async def _settled(self, entry: Entry, result: Receipt | Exception) -> Settled:
        if not isinstance(result, Exception):
            return Settled(entry=entry, status=Status.CONFIRMED, block=result.block.number)
        if isinstance(result, ChainTimeout | TimeoutError):
            return Settled(
                entry=entry, status=Status.SUBMITTED, reason=NOT_CONFIRMED, next_attempt=self._ports.now()
            )
        if isinstance(result, CallRejected):
            return await self._refused(entry, result)
        return self._again(entry, result)

    async def _refused(self, entry: Entry, refusal: CallRejected) -> Settled:
        gone = entry.wish is Wish.GO and isinstance(refusal, BlockUnknown | SignatureUnknown)
        if gone or (isinstance(refusal, SignatureExists) and await self._is_ours(entry)):
            head = await self._ports.chain.finalized_head()
            return Settled(entry=entry, status=Status.CONFIRMED, block=head.number)
        return Settled(entry=entry, status=Status.FAILED, reason=reason_of(refusal))

    async def _is_ours(self, entry: Entry) -> bool:
        return isinstance(entry.wanted, NewSignature) and await self._is_registered(entry.wanted)

    def _again(self, entry: Entry, fault: Exception) -> Settled:
        reason = "TIMEOUT" if isinstance(fault, TimeoutError) else reason_of(fault)
        return Settled(entry=entry, status=Status.PENDING, reason=reason, next_attempt=self._ports.now())


def _count(part: Part, settled: Sequence[Settled]) -> None:
    statuses = _statuses(settled)
    over = sum(each.reason == EXPIRED for each in settled)
    part.found += len(settled)
    part.done += statuses.get(Status.CONFIRMED, 0)
    part.failed += statuses.get(Status.FAILED, 0) - over
    part.skipped += over


def _statuses(settled: Sequence[Settled]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for each in settled:
        found[each.status.value] = found.get(each.status.value, 0) + 1
    return found


def _is_over(entry: Entry, now: datetime) -> bool:
    standing = isinstance(entry.wanted, NewBlock) and entry.wish is Wish.STAND
    return standing and isinstance(entry.wanted, NewBlock) and entry.wanted.expires_at <= now


def _over(entry: Entry) -> Settled:
    return Settled(entry=entry, status=Status.FAILED, reason=EXPIRED)


def _ending(entry: Entry, head: int, now: datetime) -> Entry:
    """Say in which block a network's time is over."""
    if not isinstance(entry.wanted, NewBlock):
        return entry
    blocks = -((now - entry.wanted.expires_at) // timedelta(seconds=BLOCK_S))
    return replace(entry, sent_until=head + min(max(1, blocks), MAX_BLOCK_DURATION))
