"""A proof bundle: what was asked of an object in one round and what came of it, as one file.

Whoever has it and a node of the chain finds the verdict by himself; nothing in it is taken on trust.
`docs/reference/podr2.md` has every byte.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Self

from caregrid.errors import InputInvalid
from caregrid.proofs.beacon import MAX_TAGGED
from caregrid.proofs.podr2.challenges import MIXED_BLOCKS
from caregrid.proofs.podr2.scheme import BLOCKS, PUBLIC_KEY_LEN, Scheme
from caregrid.proofs.schedule import MAX_FRAGMENTS
from caregrid.proofs.tag_list import TaggedFragment

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes of the point of a public key that stands on the chain.
POINT_LEN: Final = 96
PROOF_LEN: Final = Scheme.PUBLIC.proof_len

_KIND: Final = 0x06
_HASH_LEN: Final = 32
#: An audit path among 12,000 leaves.
_MAX_PATH: Final = 14
_HEAD: Final = struct.Struct("<B32s32sQQHI")
_ANSWER: Final = struct.Struct("<I32s32sBB")
_COUNT: Final = struct.Struct("<H")
_HEIGHTS: Final = 1 << 64
MAX_BUNDLE_LEN: Final = (
    _HEAD.size
    + MIXED_BLOCKS * _HASH_LEN
    + PUBLIC_KEY_LEN
    + _COUNT.size
    + MAX_FRAGMENTS * (_ANSWER.size + _MAX_PATH * _HASH_LEN + PROOF_LEN)
)


class Reply(IntEnum):
    """How a storage node replied."""

    PROVED = 0  #: with a proof, right or wrong
    OFFLINE = 1  #: it could not be reached, or has not got the fragment and says so
    CONTAINED = 2  #: not in time; it will be asked the same again
    UNKNOWN = 3  #: nobody knows, for a reason on the asking side


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came of one fragment's challenge."""

    number: int  #: of the fragment in the owner's list
    entry: TaggedFragment
    path: tuple[bytes, ...]  #: shows the entry to be in the list
    reply: Reply
    proof: bytes = b""  #: there when the node replied with one


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """One round of one object.

    Raises:
        InputInvalid: no bundle can be like that.
    """

    genesis_hash: bytes
    object_id: bytes
    committed_at: int
    height: int  #: the round's
    block_hashes: tuple[bytes, ...]
    blocks: int  #: asked for of each fragment
    tagged: int  #: fragments in the owner's list
    key: bytes  #: the owner's encoded public key
    answers: tuple[Answer, ...]

    def __post_init__(self) -> None:
        hashes = [self.genesis_hash, self.object_id, *self.block_hashes]
        hashes += [
            value for each in self.answers for value in (each.entry.digest, each.entry.tags, *each.path)
        ]
        if any(len(value) != _HASH_LEN for value in hashes) or len(self.block_hashes) != MIXED_BLOCKS:
            raise InputInvalid(f"a bundle has {MIXED_BLOCKS} block hashes, and hashes are 32 bytes each")
        numbers = [each.number for each in self.answers]
        if not 1 <= len(numbers) <= MAX_FRAGMENTS or numbers != sorted(set(numbers)):
            raise InputInvalid(f"a bundle has 1 to {MAX_FRAGMENTS} answers, by number and none twice")
        if len(self.key) != PUBLIC_KEY_LEN or not all(map(_is_sound, self.answers)):
            raise InputInvalid("a key, an audit path or a proof of the bundle has a wrong length")
        if not 0 <= self.committed_at < _HEIGHTS or not 0 <= self.height < _HEIGHTS:
            raise InputInvalid("no chain has blocks of that height")
        if not 1 <= self.blocks <= BLOCKS or not numbers[-1] < self.tagged <= MAX_TAGGED:
            raise InputInvalid("no fragment has so many blocks, or no object so many fragments")

    @property
    def point(self) -> bytes:
        """The part of the key that stands on the chain."""
        return self.key[1 : 1 + POINT_LEN]

    def digest(self) -> bytes:
        """Return what the custodian's report names the bundle by."""
        return sha256(self.encode()).digest()

    def encode(self) -> bytes:
        """Return the file."""
        head = _HEAD.pack(
            _KIND,
            self.genesis_hash,
            self.object_id,
            self.committed_at,
            self.height,
            self.blocks,
            self.tagged,
        )
        answers = b"".join(map(_encoded, self.answers))
        return head + b"".join(self.block_hashes) + self.key + _COUNT.pack(len(self.answers)) + answers

    @classmethod
    def decode(cls, encoded: bytes) -> Self:
        """Read a file that came from elsewhere.

        Raises:
            InputInvalid: it is no bundle.
        """
        if len(encoded) > MAX_BUNDLE_LEN:
            raise InputInvalid(f"a proof bundle has at most {MAX_BUNDLE_LEN} bytes")
        reader = _Reader(encoded)
        kind, genesis_hash, object_id, committed_at, height, blocks, tagged = reader.unpack(_HEAD)
        if kind != _KIND:
            raise _none()
        hashes = tuple(reader.hashes(MIXED_BLOCKS))
        key = reader.take(PUBLIC_KEY_LEN)
        [count] = reader.unpack(_COUNT)
        answers = tuple(_answer(reader) for _ in range(count))
        reader.require_end()
        return cls(
            genesis_hash=genesis_hash,
            object_id=object_id,
            committed_at=committed_at,
            height=height,
            block_hashes=hashes,
            blocks=blocks,
            tagged=tagged,
            key=key,
            answers=answers,
        )


class _Reader:
    def __init__(self, encoded: bytes) -> None:
        self._encoded, self._place = encoded, 0

    def take(self, length: int) -> bytes:
        piece = self._encoded[self._place : self._place + length]
        if len(piece) != length:
            raise _none()
        self._place += length
        return piece

    def unpack(self, form: struct.Struct) -> tuple[Any, ...]:
        return form.unpack(self.take(form.size))

    def hashes(self, count: int) -> Iterator[bytes]:
        return (self.take(_HASH_LEN) for _ in range(count))

    def require_end(self) -> None:
        if self._place != len(self._encoded):
            raise _none()


def _answer(reader: _Reader) -> Answer:
    number, digest, tags, steps, reply = reader.unpack(_ANSWER)
    if steps > _MAX_PATH or reply not in set(Reply):
        raise _none()
    path = tuple(reader.hashes(steps))
    proof = reader.take(PROOF_LEN) if reply == Reply.PROVED else b""
    entry = TaggedFragment(digest=digest, tags=tags)
    return Answer(number=number, entry=entry, path=path, reply=Reply(reply), proof=proof)


def _encoded(answer: Answer) -> bytes:
    entry = answer.entry
    head = _ANSWER.pack(answer.number, entry.digest, entry.tags, len(answer.path), answer.reply)
    return head + b"".join(answer.path) + answer.proof


def _is_sound(answer: Answer) -> bool:
    wanted = PROOF_LEN if answer.reply is Reply.PROVED else 0
    return len(answer.proof) == wanted and len(answer.path) <= _MAX_PATH


def _none() -> InputInvalid:
    return InputInvalid("this is no proof bundle of version 1: it is cut, too long, or something else")
