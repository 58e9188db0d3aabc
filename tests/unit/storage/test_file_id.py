"""File ids against those that the stock CESS SDK computed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.errors import InputEmpty, InputInvalid, InputMissing
from caregrid.storage.file_id import SEGMENT_SIZE, FileIdHasher, file_id_of, file_id_of_segments

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024
PERIOD = bytes((index * 31 + 7) % 251 for index in range(251))


def _content_of(size: int) -> bytes:
    return (PERIOD * (size // len(PERIOD) + 1))[:size]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1, "8b86de2d9acc20d7839e34f65ec3675349a50bf34519d59165ed0cf6d25c9b25"),
        (MIB, "4c20c793652d9f903223bc7f22d0337ac1c0d7b080a6b2204f316a07fb5ff3f1"),
        (32 * MIB - 1, "85d3c75a27e744a88d32b2a071c5b030409ebbad5610201ec62b13907576ea63"),
        (32 * MIB, "64db0a5ae8f0967231ea8545b222873a8c702cb4aae1ce08d1a4a0c262b2524f"),
        (32 * MIB + 1, "c96e221375229c9343d8dbe32e08f7f422837151f63d2817c9ef8b154c5472f5"),
        (100 * MIB, "893b2f09b4802cc7a51ccccd3599cdc79343d4d7a147f1819a036909a2ffbd92"),
    ],
)
def test_ids_equal_those_of_cess(size: int, expected: str) -> None:
    """Our ids are those of the stock CESS SDK, at and around segment borders."""
    assert expected == file_id_of(_content_of(size)).hex()


def test_pieces_make_no_difference() -> None:
    """An id does not depend on how the content was cut on its way, across a segment border too."""
    content = _content_of(SEGMENT_SIZE + 5)
    hasher = FileIdHasher()
    for start in range(0, len(content), 7 * MIB + 3):
        hasher.update(memoryview(content)[start : start + 7 * MIB + 3])
    assert file_id_of(content) == hasher.finish()
    assert len(content) == hasher.size


def test_finish_leaves_the_hasher_open() -> None:
    """Asking for the id so far does not disturb what comes after."""
    hasher = FileIdHasher()
    hasher.update(b"first")
    assert file_id_of(b"first") == hasher.finish()
    hasher.update(b" and second")
    assert file_id_of(b"first and second") == hasher.finish()


def test_one_segment_is_hashed_with_itself() -> None:
    """The id of a small file is the hash of its doubled segment hash, as on CESS."""
    segment = hashlib.sha256(b"x".ljust(SEGMENT_SIZE, b"\0")).digest()
    assert hashlib.sha256(segment * 2).digest() == file_id_of(b"x")


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=2, max_size=9))
def test_tree_pairs_an_odd_last_node_with_itself(segments: list[bytes]) -> None:
    """Any list of segments hashes to the recursive definition of the tree."""

    def root(nodes: list[bytes]) -> bytes:
        if len(nodes) == 1:
            return nodes[0]
        pairs = [nodes[at : at + 2] for at in range(0, len(nodes), 2)]
        return root([hashlib.sha256(pair[0] + pair[-1]).digest() for pair in pairs])

    assert root(segments) == file_id_of_segments(segments)


def test_file_and_bytes_agree(tmp_path: Path) -> None:
    """A file has the id of its bytes."""
    path = tmp_path / "content"
    path.write_bytes(_content_of(3 * MIB + 1))
    assert file_id_of(_content_of(3 * MIB + 1)) == file_id_of(path)


def test_nothing_has_no_id(tmp_path: Path) -> None:
    """Empty content, a missing file and a directory are told apart."""
    with pytest.raises(InputEmpty):
        file_id_of(b"")
    with pytest.raises(InputEmpty):
        file_id_of_segments([])
    with pytest.raises(InputMissing):
        file_id_of(tmp_path / "absent")
    with pytest.raises(InputInvalid, match="directory"):
        file_id_of(tmp_path)
