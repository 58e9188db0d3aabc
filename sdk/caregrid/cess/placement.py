"""Where a file's fragments are, in the storage port's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scalecodec.utils.ss58 import ss58_encode

from caregrid.storage import health
from caregrid.storage.port import Fragment, SegmentFragments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caregrid.cess.files import CessFile, CessSegment
    from caregrid.cess.miners import Miner
    from caregrid.storage.port import Placement

#: The prefix of CESS's addresses.
SS58_PREFIX: Final = 11_330


def placement_of(file: CessFile, miners: Mapping[bytes, Miner]) -> Placement:
    """Return the placement of the segment that has fewest living fragments.

    A fragment lives when its holder has not reported it lost, and the chain still holds that miner liable for
    it. Whether the miner answers just now the chain does not tell. Miners that are not given do not live.
    """
    return health.placement_of(fragments_of(file, miners))


def fragments_of(file: CessFile, miners: Mapping[bytes, Miner]) -> tuple[SegmentFragments, ...]:
    """Return every segment's fragments; a node is a miner's address."""
    holding = frozenset(account for account, miner in miners.items() if miner.state.holds)
    # Of a large file, each miner holds thousands.
    nodes = {account: str(ss58_encode(account, SS58_PREFIX)) for account in miners_of(file)}
    return tuple(_segment(each, nodes, holding) for each in file.segments)


def miners_of(file: CessFile) -> tuple[bytes, ...]:
    """Return the accounts of all miners that hold a fragment, each once, in the order of their fragments."""
    return tuple(dict.fromkeys(each.miner for segment in file.segments for each in segment.fragments))


def _segment(segment: CessSegment, nodes: Mapping[bytes, str], holding: frozenset[bytes]) -> SegmentFragments:
    fragments = tuple(
        Fragment(
            index=index,
            digest=each.digest,
            node=nodes[each.miner],
            living=each.available and each.miner in holding,
        )
        for index, each in enumerate(segment.fragments)
    )
    return SegmentFragments(digest=segment.digest, fragments=fragments)
