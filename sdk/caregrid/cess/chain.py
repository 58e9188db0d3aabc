"""The CESS chain through a list of nodes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import SystemRandom
from typing import TYPE_CHECKING, Final, TypeVar

from caregrid.cess import state
from caregrid.cess.faults import Behind, Forked, Refused, RuntimeUnknown, StateUnreadable
from caregrid.cess.heads import Heads
from caregrid.cess.links import Links
from caregrid.cess.placement import miners_of
from caregrid.cess.verdicts import MAX_AUDITED, verdict_of
from caregrid.chain.endpoints import Endpoints, public_name
from caregrid.chain.faults import AnswerGarbled, ForeignChain
from caregrid.errors import ChainUnreachable, ConfigInvalid, FileIdMismatch, ProtocolViolation
from caregrid.storage.file_id import file_id_of_segments

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from caregrid.cess.audits import MinerAudit
    from caregrid.cess.files import (
        CessFile,
        CessSegment,
        Deal,
        DealSegment,
        HeldFile,
        RestoralOrder,
    )
    from caregrid.cess.heads import CessHead
    from caregrid.cess.miners import Miner
    from caregrid.cess.state import Entry, State
    from caregrid.cess.territories import CessTerritory
    from caregrid.cess.verdicts import FileAudit

T = TypeVar("T")

#: A finalized head that is older is not the chain's last one, or finality has stopped: an epoch of CESS.
MAX_HEAD_AGE: Final = timedelta(hours=1)

_lots: Final = SystemRandom()

_SAID: Final[Sequence[tuple[type[OSError], str]]] = (
    (TimeoutError, "did not answer in time"),
    (Behind, "is not synchronised"),
    (Refused, "refused the question"),
    (Forked, "is on another branch of the chain"),
    (RuntimeUnknown, "runs a chain that is too old to be read"),
    (StateUnreadable, "told state that does not fit the types of CESS, which may have a new layout"),
    (AnswerGarbled, "answered outside the protocol, or with more than is taken"),
    (OSError, "cannot be reached"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LocatedFile:
    """A file with the miners that hold its fragments, of one block."""

    file: CessFile
    miners: Mapping[bytes, Miner]  #: by account; who is not registered any more is missing
    head: CessHead


class CessChain:
    """Reads the CESS chain's state at the last finalized block. Constructing does no I/O.

    What a node says is believed: it is not proved. The endpoints should be nodes of people one trusts.

    Every method raises:
        ChainUnreachable: no endpoint served; the message says what is wrong with each.
        ProtocolViolation: every endpoint answered outside the protocol, or with state that does not fit.
        ConfigInvalid: every endpoint is of another chain.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        genesis: bytes | None = None,
        max_head_age: timedelta = MAX_HEAD_AGE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Remember the endpoints.

        Args:
            urls: WebSocket or HTTP URLs, the preferred one first.
            genesis: the hash of block 0 that every endpoint must have; None takes the first one's.
            max_head_age: a node whose last finalized block is older does not serve.
            now: the time.

        Raises:
            ConfigInvalid: there is no URL, or it is of another kind.
        """
        self._endpoints = Endpoints(urls)
        self._links = Links(urls)
        self._heads = Heads(genesis, max_age=max_head_age, now=now)

    async def head(self) -> CessHead:
        """Return the last finalized block."""
        return (await self._run(_nothing))[0]

    async def file(self, file_id: bytes) -> CessFile | None:
        """Return a file that all miners have reported.

        Raises:
            FileIdMismatch: it was declared with segments that do not make up this file id.
        """
        file = await self._value(state.file(file_id))
        return None if file is None else _consistent(file, file.segments, file_id)

    async def deal(self, file_id: bytes) -> Deal | None:
        """Return a file that was declared and is not complete yet.

        Raises:
            FileIdMismatch: it was declared with segments that do not make up this file id.
        """
        deal = await self._value(state.deal(file_id))
        return None if deal is None else _consistent(deal, deal.segments, file_id)

    async def located(self, file_id: bytes) -> LocatedFile | None:
        """Return a file with its miners, all of one block.

        Raises:
            FileIdMismatch: it was declared with segments that do not make up this file id.
        """
        entry = state.file(file_id)
        head, found = await self._run(lambda read: _file_and_miners(read, entry))
        if found is None:
            return None
        file, miners = found
        return LocatedFile(file=_consistent(file, file.segments, file_id), miners=miners, head=head)

    async def miner(self, account: bytes) -> Miner | None:
        """Return a miner; None when the account is none, or has taken its collateral back."""
        return await self._value(state.miner(account))

    async def miners(self, accounts: Sequence[bytes]) -> Mapping[bytes, Miner]:
        """Return those of the accounts that are miners, all of one block."""
        keys = {each: state.miner_key(each) for each in accounts}
        return (await self._run(lambda read: read.miners(keys)))[1]

    async def audit(self, account: bytes) -> MinerAudit:
        """Return what the chain keeps of a miner's audits; nothing at all for who is no miner."""
        entries = state.audit(account)
        return (await self._run(lambda read: read.audit(entries)))[1]

    async def audited(self, file_id: bytes) -> FileAudit | None:
        """Return what the chain's record of its miners' proofs says of a file, all of one block.

        Raises:
            FileIdMismatch: it was declared with segments that do not make up this file id.
        """
        entry = state.file(file_id)
        head, found = await self._run(lambda read: _file_and_audits(read, entry))
        if found is None:
            return None
        file, miners, audits = found
        return verdict_of(_consistent(file, file.segments, file_id), miners, audits, head)

    async def restoral_order(self, fragment: bytes) -> RestoralOrder | None:
        """Return the order to restore a fragment, by its digest."""
        return await self._value(state.restoral_order(fragment))

    async def restoral_orders(self, fragments: Sequence[bytes]) -> Mapping[bytes, RestoralOrder]:
        """Return those orders that there are to restore these fragments, all of one block."""
        entries = {each: state.restoral_order(each) for each in fragments}
        return (await self._run(lambda read: read.present(entries)))[1]

    async def territory(self, account: bytes, name: str) -> CessTerritory | None:
        """Return an account's territory."""
        return await self._value(state.territory(account, name))

    async def authorised(self, owner: bytes) -> tuple[bytes, ...]:
        """Return the accounts that may act for an owner: gateways among them."""
        return await self._value(state.operators(owner)) or ()

    async def files_of(self, account: bytes) -> tuple[HeldFile, ...]:
        """Return what an account owns; more than some 100,000 files are not read, but an error."""
        return await self._value(state.held(account)) or ()

    async def close(self) -> None:
        """Disconnect."""
        await self._links.close()

    async def _value(self, entry: Entry[T]) -> T | None:
        return (await self._run(lambda read: read.value(entry)))[1]

    async def _run(self, work: Callable[[State], Awaitable[T]]) -> tuple[CessHead, T]:
        failures: dict[str, OSError] = {}
        for url in self._endpoints.in_order(time.monotonic()):
            try:
                async with self._links.lease(url) as link:
                    head = await self._heads.head(link)
                    value = await work(state.State(link, head.hash))
            except ForeignChain:
                self._endpoints.foreign(url)
            except OSError as exc:
                self._endpoints.failed(url, time.monotonic())
                failures[url] = exc
            else:
                self._endpoints.served(url)
                return head, value
        raise _verdict(failures)


async def _nothing(_: State) -> None:
    return None


async def _file_and_miners(
    read: State, entry: Entry[CessFile]
) -> tuple[CessFile, Mapping[bytes, Miner]] | None:
    file = await read.value(entry)
    if file is None:
        return None
    return file, await read.miners({each: state.miner_key(each) for each in miners_of(file)})


async def _file_and_audits(
    read: State, entry: Entry[CessFile]
) -> tuple[CessFile, Mapping[bytes, Miner], Mapping[bytes, MinerAudit]] | None:
    found = await _file_and_miners(read, entry)
    if found is None:
        return None
    holders = miners_of(found[0])
    read_of = _lots.sample(holders, min(len(holders), MAX_AUDITED))
    return *found, await read.audits({each: state.audit(each) for each in read_of})


def _consistent(value: T, segments: Sequence[CessSegment] | Sequence[DealSegment], file_id: bytes) -> T:
    # The chain takes a declarer's word: whoever declares our file id first, with other segments, would have
    # us believe that our object is stored.
    if not segments or file_id_of_segments([each.digest for each in segments]) != file_id:
        raise FileIdMismatch("the file was declared on CESS with segments of another one; store it anew")
    return value


def _verdict(failures: Mapping[str, OSError]) -> Exception:
    if not failures:
        return ConfigInvalid("every endpoint is of another chain than CESS, or of another of its networks")
    told = ", ".join(f"{public_name(url)} {_said(exc)}" for url, exc in failures.items())
    if all(isinstance(exc, AnswerGarbled) for exc in failures.values()):
        return ProtocolViolation(f"no endpoint of the CESS chain is usable: {told}")
    return ChainUnreachable(f"no endpoint of the CESS chain serves: {told}")


def _said(exc: OSError) -> str:
    return next(text for kind, text in _SAID if isinstance(exc, kind))
