"""What `check`, `verify` and `repair` do with one object."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import FileIdMismatch, ObjectUnknown
from caregrid.storage import FileIdHasher
from caregrid.storage.health import GONE, Cutoff, health_of, placement_of
from ocw_sidecar.cli.storage_lines import Line, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from caregrid.storage import ObjectStore, SegmentFragments

#: Fragments that a line names; it counts all of them.
MAX_NAMED: Final = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class Looks:
    """Ways to look at objects of one store."""

    store: ObjectStore
    cutoff: Cutoff

    async def check(self, object_id: bytes) -> Line:
        """Count the living fragments, going by whether they are there."""
        return line_of(object_id, await self.store.stat(object_id), self.cutoff)

    async def verify(self, object_id: bytes) -> Line:
        """Have every fragment read and hashed where it lies."""
        there = await self.store.stat(object_id)
        if there is None:
            return Line(object_id=object_id, health=GONE, cutoff=self.cutoff)
        segments = await self.store.fragments(object_id, checked=True)
        line = line_of(object_id, there, self.cutoff)
        if segments is None:
            return line
        bad = list(_bad(segments))
        facts = {**line.facts, "segments": len(segments), "bad": len(bad), "bad_fragments": bad[:MAX_NAMED]}
        return replace(line, health=health_of(placement_of(segments)), facts=facts)

    async def download(self, object_id: bytes) -> Line:
        """Verify, and read the whole object, too, comparing its file id; nothing of it is kept.

        Raises:
            FileIdMismatch: other bytes came.
            FragmentsMissing: it cannot be read.
        """
        line = await self.verify(object_id)
        size = line.facts.get("bytes")
        if size is None:
            return line
        hasher = FileIdHasher()
        async with aclosing(self.store.stream_range(object_id, 0, size)) as chunks:
            async for chunk in chunks:
                await asyncio.to_thread(hasher.update, chunk)
        if hasher.finish() != object_id:
            raise FileIdMismatch
        return replace(line, facts={**line.facts, "read": hasher.size})

    async def repair(self, object_id: bytes) -> Line:
        """Have lost and damaged fragments rebuilt; where the network does that itself, only count them."""
        try:
            repair = await self.store.repair(object_id)
        except ObjectUnknown:
            return Line(object_id=object_id, health=GONE, cutoff=self.cutoff)
        if repair is None:
            line = await self.check(object_id)
            told = {name: line.facts[name] for name in ("restoring",) if name in line.facts}
            return replace(line, facts={"rebuilt": None, **told})
        return Line(
            object_id=object_id,
            health=health_of(repair.placement),
            cutoff=self.cutoff,
            facts={"rebuilt": repair.rebuilt},
        )


def _bad(segments: Sequence[SegmentFragments]) -> Iterator[dict[str, Any]]:
    for number, segment in enumerate(segments):
        for fragment in segment.fragments:
            if not fragment.living:
                yield {"segment": number, "fragment": fragment.index, "node": fragment.node}
