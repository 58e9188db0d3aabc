"""What an owner commits to: every fragment of an object with the digest of its tags, under one public key.

The list stays with who asks the nodes; 32 bytes of it stand on the chain, and an audit path shows that a
fragment is in it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Self

from caregrid.errors import InputInvalid
from caregrid.proofs import merkle
from caregrid.proofs.beacon import MAX_TAGGED

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Fragments of a segment.
PER_SEGMENT: Final = 12
#: For a key without a public part: such a list is its owner's alone.
NO_KEY: Final = bytes(32)

_KIND: Final = 0x05
_DOMAIN: Final = b"caregrid/podr2/v1/tags"
_HEAD: Final = struct.Struct("<B32s32sI")
_ENTRY: Final = struct.Struct("<32s32s")
_COUNT: Final = struct.Struct("<I")
MAX_LIST_LEN: Final = _HEAD.size + MAX_TAGGED * _ENTRY.size


@dataclass(frozen=True, kw_only=True, slots=True)
class TaggedFragment:
    """A fragment, and which tags its keeper answers with."""

    digest: bytes  #: SHA-256 of the fragment
    tags: bytes  #: SHA-256 of its tags

    def leaf(self) -> bytes:
        """Return the hash that stands for it in the tree."""
        return merkle.leaf_hash(self.digest + self.tags)


@dataclass(frozen=True, kw_only=True, slots=True)
class TagList:
    """Every fragment of an object: segment by segment, within a segment by index.

    Raises:
        InputInvalid: a digest is not 32 bytes, or no object has so many fragments.
    """

    object_id: bytes
    key_digest: bytes  #: SHA-256 of the encoded public key, or `NO_KEY`
    fragments: tuple[TaggedFragment, ...]

    def __post_init__(self) -> None:
        digests = [self.object_id, self.key_digest]
        digests += [value for each in self.fragments for value in (each.digest, each.tags)]
        if any(len(value) != sha256().digest_size for value in digests):
            raise InputInvalid("object id, key digest, fragments and tags are 32 bytes each")
        if not 1 <= len(self.fragments) <= MAX_TAGGED or len(self.fragments) % PER_SEGMENT:
            raise InputInvalid(f"an object has {PER_SEGMENT} fragments a segment, at most {MAX_TAGGED}")

    def commitment(self) -> bytes:
        """Return what stands on the chain."""
        return commitment(self.object_id, self.key_digest, len(self.fragments), merkle.root(self._leaves()))

    def path(self, number: int) -> list[bytes]:
        """Return the hashes that show a fragment to be in the list, from the leaf upwards."""
        return merkle.inclusion_path(self._leaves(), number)

    def encode(self) -> bytes:
        """Return the list as bytes."""
        head = _HEAD.pack(_KIND, self.object_id, self.key_digest, len(self.fragments))
        return head + b"".join(_ENTRY.pack(each.digest, each.tags) for each in self.fragments)

    @classmethod
    def decode(cls, encoded: bytes) -> Self:
        """Read a list that came from elsewhere.

        Raises:
            InputInvalid: it is none.
        """
        try:
            kind, object_id, key_digest, count = _HEAD.unpack_from(encoded)
        except struct.error as exc:
            raise _none() from exc
        if kind != _KIND or count > MAX_TAGGED or len(encoded) != _HEAD.size + count * _ENTRY.size:
            raise _none()
        entries = _ENTRY.iter_unpack(encoded[_HEAD.size :])
        fragments = tuple(TaggedFragment(digest=digest, tags=tags) for digest, tags in entries)
        return cls(object_id=object_id, key_digest=key_digest, fragments=fragments)

    def _leaves(self) -> list[bytes]:
        return [each.leaf() for each in self.fragments]


def commitment(object_id: bytes, key_digest: bytes, count: int, root: bytes) -> bytes:
    """Return what stands on the chain for a list with this root."""
    return sha256(_DOMAIN + object_id + key_digest + _COUNT.pack(count) + root).digest()


def commitment_of_path(
    object_id: bytes,
    key_digest: bytes,
    count: int,
    *,
    number: int,
    entry: TaggedFragment,
    path: Sequence[bytes],
) -> bytes | None:
    """Return the commitment that a fragment and its path lead to; None where they lead to none.

    Takes untrusted input.
    """
    if not 0 <= number < count:
        return None
    root = merkle.root_from_path(entry.leaf(), number, count, path)
    return None if root is None else commitment(object_id, key_digest, count, root)


def _none() -> InputInvalid:
    return InputInvalid("this is no list of tags: its length or its kind is wrong")
