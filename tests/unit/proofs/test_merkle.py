"""The Merkle tree, against known roots and the RFC's own definition."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.proofs import merkle

#: The eight leaves and the roots over the first 1 to 8 of them that Certificate Transparency's tests use.
LEAVES: Final = [
    bytes.fromhex(leaf)
    for leaf in [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
]
ROOTS: Final = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

leaf_lists = st.lists(st.binary(max_size=4), min_size=1, max_size=70)


def tree_hash(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162, section 2.1.1, word by word."""
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\x01" + tree_hash(leaves[:split]) + tree_hash(leaves[split:])).digest()


def tree_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162, section 2.1.3.1, word by word."""
    if len(leaves) == 1:
        return []
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    if index < split:
        return [*tree_path(index, leaves[:split]), tree_hash(leaves[split:])]
    return [*tree_path(index - split, leaves[split:]), tree_hash(leaves[:split])]


def hashes(leaves: list[bytes]) -> list[bytes]:
    """Hash each leaf."""
    return [merkle.leaf_hash(leaf) for leaf in leaves]


@pytest.mark.parametrize("count", range(1, 9))
def test_known_roots(count: int) -> None:
    """The roots are those that other RFC 9162 programs compute."""
    assert merkle.root(hashes(LEAVES[:count])).hex() == ROOTS[count - 1]


@given(leaves=leaf_lists)
def test_the_root_is_the_rfcs(leaves: list[bytes]) -> None:
    """For any number of leaves, the tree has the RFC's shape."""
    assert tree_hash(leaves) == merkle.root(hashes(leaves))


@given(leaves=leaf_lists, data=st.data())
def test_the_path_is_the_rfcs_and_leads_to_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    """Every leaf's path is the RFC's, and following it arrives at the root."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = merkle.inclusion_path(hashes(leaves), index)
    assert tree_path(index, leaves) == path
    leaf = merkle.leaf_hash(leaves[index])
    assert tree_hash(leaves) == merkle.root_from_path(leaf, index, len(leaves), path)


@given(leaves=leaf_lists, data=st.data())
def test_paths_of_wrong_length_lead_nowhere(leaves: list[bytes], data: st.DataObject) -> None:
    """A path cut or lengthened anywhere gives no root at all."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = merkle.inclusion_path(hashes(leaves), index)
    leaf = merkle.leaf_hash(leaves[index])
    assert merkle.root_from_path(leaf, index, len(leaves), [*path, bytes(32)]) is None
    if path:
        assert merkle.root_from_path(leaf, index, len(leaves), path[:-1]) is None


def test_leaves_and_nodes_cannot_be_confused() -> None:
    """A leaf that spells out two hashes is not the node over them."""
    left, right = hashes(LEAVES[1:3])
    assert merkle.node_hash(left, right) != merkle.leaf_hash(left + right)
