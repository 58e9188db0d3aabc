"""What a round's blocks ask for."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caregrid.errors import ChallengeMismatch, InputInvalid
from caregrid.proofs.podr2 import MIXED_BLOCKS
from caregrid.proofs.schedule import Terms
from tests.unit.proofs.rounds import HASHES, HEIGHT, TERMS, beacon

DIGEST = sha256(b"fragment").digest()


@given(st.integers(min_value=1, max_value=12_000), st.integers(min_value=1, max_value=256))
@settings(max_examples=50)
def test_as_many_fragments_as_are_wanted(tagged: int, wanted: int) -> None:
    """Distinct, ascending, within the object, the same for everybody."""
    drawn = beacon().selected(tagged, Terms(fragments=wanted))
    assert min(tagged, wanted) == len(drawn)
    assert sorted(set(drawn)) == list(drawn)
    assert 0 <= drawn[0] <= drawn[-1] < tagged
    assert drawn == beacon().selected(tagged, Terms(fragments=wanted))


def test_every_fragment_has_its_turn() -> None:
    """Over many rounds no fragment is asked for much more often than another."""
    counts = Counter[int]()
    for turn in range(600):
        hashes = tuple(sha256(b"%d %d" % (turn, each)).digest() for each in range(MIXED_BLOCKS))
        counts.update(beacon(hashes=hashes).selected(24, Terms(fragments=6)))
    assert list(range(24)) == sorted(counts)
    # Each is asked for 150 times on average; six standard deviations are 64.
    assert all(86 <= count <= 214 for count in counts.values())


def test_one_bit_of_one_block_changes_everything() -> None:
    """Each block's last bit is in the challenge; its other bits an author might have tried for."""
    asked = beacon().challenge(DIGEST, TERMS)
    for place in range(MIXED_BLOCKS):
        last = HASHES[place][:-1] + bytes([HASHES[place][-1] ^ 1])
        changed = beacon(hashes=(*HASHES[:place], last, *HASHES[place + 1 :]))
        assert asked != changed.challenge(DIGEST, TERMS)
        assert beacon().selected(12_000, TERMS) != changed.selected(12_000, TERMS)
        first = bytes([HASHES[place][0] ^ 0x80]) + HASHES[place][1:]
        same = beacon(hashes=(*HASHES[:place], first, *HASHES[place + 1 :]))
        assert asked == same.challenge(DIGEST, TERMS)


def test_another_height_is_another_challenge() -> None:
    """Even if its blocks were the same."""
    assert beacon().challenge(DIGEST, TERMS) != beacon(HEIGHT + 10).challenge(DIGEST, TERMS)


def test_what_is_no_round() -> None:
    """Heights between rounds, and too few or too many blocks, make no beacon."""
    with pytest.raises(ChallengeMismatch):
        beacon(HEIGHT + 1)
    for hashes in (HASHES[1:], (*HASHES, HASHES[0]), (*HASHES[1:], b"short")):
        with pytest.raises(InputInvalid):
            beacon(hashes=hashes)
    for tagged in (0, 12_001):
        with pytest.raises(InputInvalid):
            beacon().selected(tagged, TERMS)
