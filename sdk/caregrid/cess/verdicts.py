"""What the chain's record of proofs comes to for a whole file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from caregrid.cess.audits import AuditReading, MinerAudit, reading_of
from caregrid.cess.placement import fragments_of
from caregrid.chain.port import AuditOutcome
from caregrid.storage.file_id import DATA_SHARDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.cess.files import CessFile, CessFragment
    from caregrid.cess.heads import CessHead
    from caregrid.cess.miners import Miner
    from caregrid.storage.port import SegmentFragments

#: Miners of one file whose audits are read; of more, so many drawn by lot.
MAX_AUDITED: Final = 60

_GONE: Final = frozenset({AuditOutcome.OFFLINE, AuditOutcome.FAILED})
_UNREAD: Final = MinerAudit(failed=None, missed=0, challenge=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class FileAudit:
    """The outcome of a file, and of its fragments by segment and index, as of one block."""

    file: CessFile
    miners: Mapping[bytes, Miner]  #: by account
    outcome: AuditOutcome
    readings: tuple[tuple[AuditReading, ...], ...]
    head: CessHead

    @property
    def fragments(self) -> tuple[SegmentFragments, ...]:
        """Every segment's fragments; one does not live that a challenge asked for and got no good answer."""
        placed = fragments_of(self.file, self.miners)
        return tuple(_proved(*each) for each in zip(placed, self.readings, strict=True))

    @property
    def counts(self) -> dict[AuditOutcome, int]:
        """Fragments of all segments by their outcome."""
        return Counter(each.outcome for segment in self.readings for each in segment)

    @property
    def covered(self) -> int:
        """Fragments of which the record certainly speaks."""
        return sum(each.covers for segment in self.readings for each in segment)


def verdict_of(
    file: CessFile, miners: Mapping[bytes, Miner], audits: Mapping[bytes, MinerAudit], head: CessHead
) -> FileAudit:
    """Return what the record says of a file.

    Any four fragments restore a segment. So a segment fares as the fourth best of its fragments, and a file
    as its worst segment: it has failed when fewer than four fragments of a segment are left that nobody lost
    and no proof was found wrong for, and passed when four of each were proved. A fragment that its holder
    reports as lost has failed: that is the holder's own word, and nothing is left there that could be proved.
    """

    def read(fragment: CessFragment) -> AuditReading:
        audit = audits.get(fragment.miner, _UNREAD)
        return reading_of(fragment, miners.get(fragment.miner), audit, head.number)

    readings = tuple(tuple(read(each) for each in segment.fragments) for segment in file.segments)
    outcome = max((_of_segment(each) for each in readings), key=lambda each: each.severity)
    return FileAudit(file=file, miners=miners, outcome=outcome, readings=readings, head=head)


def _proved(segment: SegmentFragments, readings: Sequence[AuditReading]) -> SegmentFragments:
    fragments = tuple(
        replace(each, living=each.living and not (reading.covers and reading.outcome in _GONE))
        for each, reading in zip(segment.fragments, readings, strict=True)
    )
    return replace(segment, fragments=fragments)


def _of_segment(readings: Sequence[AuditReading]) -> AuditOutcome:
    ranked = sorted((each.outcome for each in readings), key=lambda each: each.severity)
    return ranked[DATA_SHARDS - 1]
