"""Storage on the CESS network: a gateway moves the bytes, and the CESS chain tells how they are stored.

A stock gateway knows neither where fragments are nor what is left of a territory; the chain knows both, and
more reliably than anybody in between. See docs/reference/storage-cess.md.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog

from caregrid.cess import CessChain, fragments_of, placement_of
from caregrid.errors import (
    ChainUnreachable,
    ProtocolViolation,
    TerritoryUnusable,
)
from caregrid.storage import ObjectStat, ObjectStore, file_id_of
from ocw_sidecar.ports import NetworkProofs, ProofRecord

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable

    from caregrid.cess import CessFile, FileAudit, LocatedFile
    from caregrid.storage import (
        NodeState,
        Progress,
        Repair,
        SegmentFragments,
        Source,
        StoredEntry,
        Territory,
    )
    from ocw_sidecar.settings.cess import CessSettings

T = TypeVar("T")

#: Lost fragments of one object whose restoral orders are looked up; more is said as so many.
MAX_ORDERS: Final = 256

log = structlog.get_logger()


class CessReader:
    """The CESS chain within one deadline for all of a look, over all nodes."""

    def __init__(self, settings: CessSettings) -> None:
        self.chain = CessChain(
            settings.rpc_urls, genesis=settings.genesis, max_head_age=settings.max_head_age
        )
        self._timeout_s = settings.timeout_s

    async def close(self) -> None:
        """Disconnect."""
        await self.chain.close()

    async def within(self, asked: Awaitable[T]) -> T:
        """Return an answer.

        Raises:
            ChainUnreachable: it did not come in time.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asked
        except TimeoutError as exc:
            raise ChainUnreachable(
                f"the CESS chain did not answer within {self._timeout_s:.0f} s; look at its nodes, "
                "or raise `storage.cess.timeout_s`"
            ) from exc

    async def territory(self, account: bytes, name: str) -> Territory:
        """Return an account's territory.

        Raises:
            TerritoryUnusable: there is none, or it is offered for sale.
        """
        head, found = await self.chain.head(), await self.chain.territory(account, name)
        if found is None:
            raise TerritoryUnusable(_MISSING.format(name))
        return found.as_of(head, name=name)

    async def require_room(self, account: bytes, name: str, size: int) -> None:
        """Refuse an upload that the chain would refuse; errors as `CessTerritory.require_room`."""
        head, found = await self.chain.head(), await self.chain.territory(account, name)
        if found is None:
            raise TerritoryUnusable(_MISSING.format(name))
        found.require_room(size, head, name=name)

    async def owns(self, account: bytes, object_id: bytes) -> bool:
        """Return whether an account stored an object, or is about to."""
        file = await self.chain.file(object_id)
        if file is not None:
            return any(owner.account == account for owner in file.owners)
        deal = await self.chain.deal(object_id)
        return deal is not None and deal.owner.account == account


_MISSING: Final = "the account has no territory {} on the CESS chain; buy one, then what waits goes on"


class CessStore(ObjectStore):
    """A store over gateways to CESS, together with what the CESS chain knows.

    Whatever the chain is asked raises, besides what `ObjectStore` says:

        ChainUnreachable, ProtocolViolation: no node of the chain serves.
        ConfigInvalid: every one is of another chain.
    """

    def __init__(self, gateways: ObjectStore, reader: CessReader, account: bytes, territory: str) -> None:
        self._gateways, self._reader = gateways, reader
        self._account, self._territory = account, territory

    async def put(self, source: Source, *, progress: Progress | None = None) -> bytes:
        """Store content if the territory has room for it; see `ObjectStore.put`.

        A chain that does not answer keeps nothing from being stored: then the gateway refuses, if need be.
        """
        try:
            await self._require_room(source)
        except (ChainUnreachable, ProtocolViolation) as exc:
            log.warning("territory_not_asked", reason=exc.code)
        return await self._gateways.put(source, progress=progress)

    async def read_range(self, object_id: bytes, offset: int, length: int) -> bytes:
        """Return bytes of an object; see `ObjectStore.read_range`."""
        return await self._gateways.read_range(object_id, offset, length)

    def stream_range(self, object_id: bytes, offset: int, length: int) -> AsyncGenerator[bytes]:
        """Yield bytes of an object; see `ObjectStore.stream_range`."""
        return self._gateways.stream_range(object_id, offset, length)

    async def download(
        self, object_id: bytes, target: Path, *, progress: Progress | None = None, resume: bool = False
    ) -> int:
        """Write a whole object to a file; see `ObjectStore.download`."""
        return await self._gateways.download(object_id, target, progress=progress, resume=resume)

    async def stat(self, object_id: bytes) -> ObjectStat | None:
        """Return size and placement by the chain; see `ObjectStore.stat`.

        While the miners are still taking a file over nothing is told of its placement, and of one that only a
        gateway knows neither: its declaration may not be final yet.
        """
        found = await self._reader.within(self._stat(object_id))
        return found or await self._gateways.stat(object_id)

    async def fragments(
        self, object_id: bytes, *, checked: bool = False
    ) -> tuple[SegmentFragments, ...] | None:
        """Return every segment's fragments by the chain; see `ObjectStore.fragments`.

        No gateway can have a miner read its disk. With `checked` the chain's record of proofs counts: a
        fragment does not live whose holder failed, or did not answer, a challenge that asked for it.
        """
        found = await self._reader.within(self._fragments(object_id, checked=checked))
        return found or await self._gateways.fragments(object_id, checked=checked)

    async def repair(self, object_id: bytes) -> Repair | None:
        """Ask gateways, which on CESS leave it to the miners; see `ObjectStore.repair` and `stat`."""
        return await self._gateways.repair(object_id)

    async def delete(self, object_id: bytes) -> bool:
        """Give an object up; see `ObjectStore.delete`."""
        return await self._gateways.delete(object_id)

    def list(self, after: bytes | None = None) -> AsyncGenerator[StoredEntry]:
        """Yield what the account stored; see `ObjectStore.list`."""
        return self._gateways.list(after)

    async def nodes(self) -> tuple[NodeState, ...] | None:
        """Return what gateways tell: on CESS nothing; see `ObjectStore.nodes`."""
        return await self._gateways.nodes()

    async def territory(self) -> Territory | None:
        """Return the territory by the chain; see `ObjectStore.territory`."""
        return await self._reader.within(self._reader.territory(self._account, self._territory))

    async def close(self) -> None:
        """Release the gateways' connections; the chain's are the reader's."""
        await self._gateways.close()

    async def _require_room(self, source: Source) -> None:
        size = await _size_of(source)
        if size is None:
            return  # what cannot be read, the store refuses with its own words
        asked = self._reader.require_room(self._account, self._territory, size)
        try:
            await self._reader.within(asked)
        except TerritoryUnusable:
            # Storing again what is there already changes nothing, and needs no room.
            if not isinstance(source, Path) or not await self._is_ours(source):
                raise

    async def _is_ours(self, source: Path) -> bool:
        object_id = await asyncio.to_thread(file_id_of, source)
        return await self._reader.within(self._reader.owns(self._account, object_id))

    async def _stat(self, object_id: bytes) -> ObjectStat | None:
        located = await self._reader.chain.located(object_id)
        if located is not None:
            return await self._placed(object_id, located)
        deal = await self._reader.chain.deal(object_id)
        return None if deal is None else ObjectStat(object_id=object_id, size=deal.size)

    async def _placed(self, object_id: bytes, located: LocatedFile) -> ObjectStat:
        lost = _lost(located.file)[:MAX_ORDERS]
        orders = await self._reader.chain.restoral_orders(lost) if lost else {}
        return ObjectStat(
            object_id=object_id,
            size=located.file.size,
            placement=placement_of(located.file, located.miners),
            restoring=len(orders),
        )

    async def _fragments(self, object_id: bytes, *, checked: bool) -> tuple[SegmentFragments, ...] | None:
        if checked:
            audit = await self._reader.chain.audited(object_id)
            return None if audit is None else audit.fragments
        located = await self._reader.chain.located(object_id)
        return None if located is None else fragments_of(located.file, located.miners)


class CessProofs(NetworkProofs):
    """The CESS chain's own record of its miners' proofs."""

    def __init__(self, reader: CessReader) -> None:
        self._reader = reader

    async def look(self, object_id: bytes) -> ProofRecord | None:
        """Return what the chain says of an object; see `NetworkProofs.look`."""
        audit = await self._reader.within(self._reader.chain.audited(object_id))
        if audit is None:
            return None
        return ProofRecord(outcome=audit.outcome, facts=_facts(audit))


@asynccontextmanager
async def open_reader(settings: CessSettings) -> AsyncIterator[CessReader]:
    """Open the chain that the settings name, and close it at the end; no I/O is done for it.

    Raises:
        ConfigInvalid: a URL is of another kind.
    """
    reader = CessReader(settings)
    try:
        yield reader
    finally:
        await reader.close()


def _lost(file: CessFile) -> list[bytes]:
    every = (each for segment in file.segments for each in segment.fragments)
    return list(dict.fromkeys(each.digest for each in every if not each.available))


def _facts(audit: FileAudit) -> dict[str, Any]:
    return {
        "network": "cess",
        "block": audit.head.number,
        "hash": audit.head.hash.hex(),
        "outcome": str(audit.outcome),
        "fragments": {str(outcome): count for outcome, count in sorted(audit.counts.items())},
        "covered": audit.covered,
    }


async def _size_of(source: Source) -> int | None:
    if not isinstance(source, Path):
        return source.size
    try:
        return (await asyncio.to_thread(source.stat)).st_size
    except OSError:
        return None
