"""The binary SHA-256 Merkle tree of RFC 9162, section 2.1, over any byte strings."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of one leaf; its 0x00 keeps it from ever equalling an inner node's."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node over its two children's hashes."""
    return sha256(b"\x01" + left + right).digest()


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the root over at least one leaf hash."""
    level = list(leaf_hashes)
    while len(level) > 1:
        level = _parents(level)
    return level[0]


def inclusion_path(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Return the siblings from leaf `index` up to the root; at most one per level of the tree."""
    level, path = list(leaf_hashes), []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level, index = _parents(level), index // 2
    return path


def root_from_path(hashed_leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that a leaf and its path lead to; None if the path has not the length it must have.

    The caller makes sure that `index < count`.
    """
    node, last, rest = hashed_leaf, count - 1, list(path)
    while last > 0:
        if index % 2 == 1 or index < last:
            if not rest:
                return None
            sibling = rest.pop(0)
            node = node_hash(sibling, node) if index % 2 == 1 else node_hash(node, sibling)
        index, last = index // 2, last // 2
    return None if rest else node


def _parents(level: list[bytes]) -> list[bytes]:
    # An odd one out rises unhashed, which gives the same tree as the RFC's split at a power of two.
    pairs = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    return pairs + level[len(level) & ~1 :]
