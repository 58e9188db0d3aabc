"""What a round's blocks say to ask: which fragments of an object, and which blocks of each.

A fragment's challenge is that of :mod:`caregrid.proofs.podr2.challenges`. Which fragments are asked for comes
from the same blocks: `docs/reference/podr2.md` has every byte.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Final

from caregrid.errors import InputInvalid
from caregrid.proofs import schedule
from caregrid.proofs.podr2.challenges import MIXED_BLOCKS, Challenge, Origin, derive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from caregrid.proofs.schedule import Terms

#: CESS allows 1,000 segments, each of 12 fragments.
MAX_TAGGED: Final = 12_000

_DOMAIN: Final = b"caregrid/podr2/v1/selection"
_NUMBERS: Final = struct.Struct("<III")
_WORD: Final = struct.Struct("<I")
_WORDS: Final = 1 << 32
#: No content has this SHA-256, so that the seed is no fragment's.
_NO_FRAGMENT: Final = bytes(32)


@dataclass(frozen=True, kw_only=True, slots=True)
class Beacon:
    """The blocks of one round, as they speak to one object.

    Raises:
        InputInvalid: a hash is not 32 bytes, or there are not as many as a round has.
        ChallengeMismatch: the height is no round.
    """

    genesis_hash: bytes
    object_id: bytes
    committed_at: int  #: height of the block in which the tags were committed to
    height: int  #: the round's: that of its last block
    block_hashes: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if len(self.block_hashes) != MIXED_BLOCKS:
            raise InputInvalid(f"a round has {MIXED_BLOCKS} blocks")
        schedule.require_round(self.height, self.committed_at)
        self.origin(_NO_FRAGMENT)

    def origin(self, fragment_digest: bytes) -> Origin:
        """Return what a fragment's challenge is derived from."""
        return Origin(
            genesis_hash=self.genesis_hash,
            object_id=self.object_id,
            fragment_digest=fragment_digest,
            committed_at=self.committed_at,
            first_height=schedule.first_mixed(self.height),
            block_hashes=self.block_hashes,
        )

    def challenge(self, fragment_digest: bytes, terms: Terms) -> Challenge:
        """Return the challenge to a fragment."""
        return derive(self.origin(fragment_digest), terms.blocks)

    def selected(self, tagged: int, terms: Terms) -> tuple[int, ...]:
        """Return which of an object's tagged fragments are asked for, by number, ascending.

        Raises:
            InputInvalid: no object has so many fragments.
        """
        if not 1 <= tagged <= MAX_TAGGED:
            raise InputInvalid(f"an object has 1 to {MAX_TAGGED} tagged fragments")
        wanted = min(terms.fragments, tagged)
        drawn = set[int]()
        numbers = self._numbers(tagged, wanted)
        while len(drawn) < wanted:
            drawn.add(next(numbers))
        return tuple(sorted(drawn))

    def _numbers(self, tagged: int, wanted: int) -> Iterator[int]:
        seed = self.origin(_NO_FRAGMENT).seed()
        fair = _WORDS - _WORDS % tagged
        for turn in count():
            piece = sha256(_DOMAIN + seed + _NUMBERS.pack(tagged, wanted, turn)).digest()
            yield from (word % tagged for (word,) in _WORD.iter_unpack(piece) if word < fair)
