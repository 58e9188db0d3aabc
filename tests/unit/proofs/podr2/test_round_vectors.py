"""Rounds, tag lists and bundles as the page describes them, computed here from nothing but SHA-256."""

from __future__ import annotations

import json
from hashlib import sha256
from itertools import count
from typing import Any, Final

import pytest

import podr2_vectors

VECTORS: Final[dict[str, Any]] = json.loads((podr2_vectors.FOLDER / "rounds.json").read_text())
GENESIS: Final = bytes.fromhex(VECTORS["genesis_hash"])
OBJECT: Final = bytes.fromhex(VECTORS["object_id"])
HASHES: Final = [bytes.fromhex(value) for value in VECTORS["block_hashes"]]
LISTED: Final = [bytes.fromhex(digest + tags) for digest, tags in VECTORS["tag_list"]["fragments"]]


def little(number: int, width: int) -> bytes:
    """Return a number in the order of the page."""
    return number.to_bytes(width, "little")


def leaf(number: int) -> bytes:
    """Return the leaf of a fragment."""
    return sha256(b"\x00" + LISTED[number]).digest()


def root(leaves: list[bytes]) -> bytes:
    """Return the root as RFC 9162 defines it: split at the largest power of two below the length."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\x01" + root(leaves[:split]) + root(leaves[split:])).digest()


def path(leaves: list[bytes], number: int) -> list[bytes]:
    """Return the audit path as RFC 9162 defines it."""
    if len(leaves) == 1:
        return []
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    if number < split:
        return [*path(leaves[:split], number), root(leaves[split:])]
    return [*path(leaves[split:], number - split), root(leaves[:split])]


def selected(tagged: int, wanted: int) -> list[int]:
    """Return the fragments asked for."""
    bits = sum((value[-1] & 1) << place for place, value in enumerate(HASHES))
    seed = sha256(
        b"caregrid/podr2/v1/seed"
        + GENESIS
        + OBJECT
        + bytes(32)
        + little(VECTORS["committed_at"], 8)
        + little(VECTORS["round"] - 31, 8)
        + little(32, 2)
        + little(bits, 4)
    ).digest()
    drawn = set[int]()
    for turn in count():
        numbers = little(tagged, 4) + little(wanted, 4) + little(turn, 4)
        piece = sha256(b"caregrid/podr2/v1/selection" + seed + numbers).digest()
        for start in range(0, 32, 4):
            word = int.from_bytes(piece[start : start + 4], "little")
            if word < 2**32 - 2**32 % tagged and len(drawn) < wanted:
                drawn.add(word % tagged)
        if len(drawn) == wanted:
            return sorted(drawn)
    raise AssertionError


@pytest.mark.parametrize(("committed_at", "expected"), VECTORS["first_rounds"])
def test_first_rounds(committed_at: int, expected: int) -> None:
    """The first multiple of ten of which 32 blocks are after the commitment."""
    height = next(each for each in count(committed_at) if each % 10 == 0 and each - 31 > committed_at)
    assert expected == height


@pytest.mark.parametrize(
    "vector", VECTORS["selections"], ids=lambda each: f"{each['fragments']}of{each['tagged']}"
)
def test_selections(vector: dict[str, Any]) -> None:
    """Which fragments a round asks for."""
    assert vector["selected"] == selected(vector["tagged"], vector["fragments"])


def test_tag_list() -> None:
    """What an owner commits to, the audit path of a fragment, and the file."""
    told = VECTORS["tag_list"]
    key, size = bytes.fromhex(told["key_digest"]), little(len(LISTED), 4)
    leaves = [leaf(number) for number in range(len(LISTED))]
    made = sha256(b"caregrid/podr2/v1/tags" + OBJECT + key + size + root(leaves)).hexdigest()
    assert told["commitment"] == made
    assert told["path_of_20"] == [step.hex() for step in path(leaves, 20)]
    assert told["encoded_sha256"] == sha256(b"\x05" + OBJECT + key + size + b"".join(LISTED)).hexdigest()


def test_bundle() -> None:
    """Every byte of a bundle."""
    told = VECTORS["bundle"]
    head = b"\x06" + GENESIS + OBJECT + little(VECTORS["committed_at"], 8) + little(VECTORS["round"], 8)
    head += little(300, 2) + little(36, 4)
    leaves = [leaf(number) for number in range(len(LISTED))]
    body = (
        head + b"".join(HASHES) + bytes.fromhex(told["key_byte"]) * 12_817 + little(len(told["answers"]), 2)
    )
    for number, reply in told["answers"]:
        steps = path(leaves, number)
        body += little(number, 4) + LISTED[number] + little(len(steps), 1) + little(reply, 1)
        body += b"".join(steps) + (bytes.fromhex(told["proof_byte"]) * 8_529 if reply == 0 else b"")
    assert told["head"] == head.hex()
    assert (told["length"], told["digest"]) == (len(body), sha256(body).hexdigest())
