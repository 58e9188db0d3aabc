"""Challenges that neither owner, node nor block author can choose.

An author can try many contents for its block and publish the one whose hash it likes. So each block gives a
single bit, the last of its hash: whoever makes the last of them chooses between two challenges, and no more.

The seed is `SHA-256("caregrid/podr2/v1/seed" || genesis hash || object id || fragment digest || height of the
commitment || first height || count of blocks || bits)`, integers little-endian: heights of 8 bytes, the count
of 2. Blocks and coefficients come of the seed as `docs/reference/podr2.md` says.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Self

import caregrid_native as native

from caregrid.errors import InputInvalid
from caregrid.proofs.podr2.detection import DEFAULT_COUNT
from caregrid.proofs.podr2.scheme import BLOCKS, refusing

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Finalized blocks that a challenge is mixed of at least, each with its bit.
MIXED_BLOCKS: Final = 32

_MOST_MIXED: Final = 256
_HASH_LEN: Final = 32
_HEIGHTS: Final = 1 << 64
_DOMAIN: Final = b"caregrid/podr2/v1/seed"
_NUMBERS: Final = struct.Struct("<QQH")
_HEAD: Final = struct.Struct("<BH")
_PAIR: Final = struct.Struct("<H16s")
#: Bytes of a challenge that asks for all of a fragment's blocks.
MAX_CHALLENGE_LEN: Final = _HEAD.size + BLOCKS * _PAIR.size


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """What a challenge is derived from, all of it on chain.

    Raises:
        InputInvalid: a hash is not 32 bytes, there are too few blocks or too many, or the first of them is
            not after the commitment.
    """

    genesis_hash: bytes
    object_id: bytes
    fragment_digest: bytes  #: SHA-256
    committed_at: int  #: height of the block in which the tags were committed to
    first_height: int  #: of the blocks that follow each other, all finalized
    block_hashes: tuple[bytes, ...]

    def __post_init__(self) -> None:
        hashes = (self.genesis_hash, self.object_id, self.fragment_digest, *self.block_hashes)
        if any(len(value) != _HASH_LEN for value in hashes):
            raise InputInvalid("genesis hash, object id, fragment digest and block hashes are 32 bytes each")
        if not MIXED_BLOCKS <= len(self.block_hashes) <= _MOST_MIXED:
            raise InputInvalid(f"mix {MIXED_BLOCKS} to {_MOST_MIXED} finalized blocks")
        if not 0 <= self.committed_at < self.first_height < _HEIGHTS:
            raise InputInvalid("take blocks after the one in which the tags were committed to")

    def seed(self) -> bytes:
        """Return the 32-byte seed."""
        numbers = _NUMBERS.pack(self.committed_at, self.first_height, len(self.block_hashes))
        fixed = self.genesis_hash + self.object_id + self.fragment_digest
        return sha256(_DOMAIN + fixed + numbers + self._bits()).digest()

    def _bits(self) -> bytes:
        bits = sum((value[-1] & 1) << place for place, value in enumerate(self.block_hashes))
        return bits.to_bytes(-(-len(self.block_hashes) // 8), "little")


@dataclass(frozen=True, slots=True)
class Challenge:
    """Which blocks are asked for and with which coefficients.

    Make one with `derive`, `from_seed`, `of` or `decode`, which check it.
    """

    encoded: bytes

    @classmethod
    def from_seed(cls, seed: bytes, count: int = DEFAULT_COUNT) -> Self:
        """Derive the challenge of so many blocks.

        Raises:
            InputInvalid: the seed is not 32 bytes, or the count not from 1 to 1,024.
        """
        with refusing():
            return cls(native.podr2_challenge(seed, count))

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> Self:
        """Ask for these blocks with these coefficients.

        Raises:
            InputInvalid: the blocks do not ascend within 0 to 1,023, or a coefficient is not within 1 to
                2^127 - 2.
        """
        with refusing():
            return cls(native.podr2_challenge_of(list(pairs)))

    @classmethod
    def decode(cls, encoded: bytes) -> Self:
        """Read a challenge that came from elsewhere.

        Raises:
            InputInvalid: it is none.
        """
        made = cls.of(cls(encoded).pairs())
        if made.encoded != encoded:
            raise InputInvalid("this is no challenge of PoDR²: its length or its kind is wrong")
        return made

    def pairs(self) -> list[tuple[int, int]]:
        """Return blocks and coefficients."""
        body = self.encoded[_HEAD.size :]
        whole = body[: len(body) - len(body) % _PAIR.size]
        return [(index, int.from_bytes(value, "little")) for index, value in _PAIR.iter_unpack(whole)]


def derive(origin: Origin, count: int = DEFAULT_COUNT) -> Challenge:
    """Return the challenge of an origin, the same for everybody.

    Raises:
        InputInvalid: the count is not from 1 to 1,024.
    """
    return Challenge.from_seed(origin.seed(), count)
