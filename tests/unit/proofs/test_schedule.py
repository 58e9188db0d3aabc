"""When objects may be challenged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.errors import ChallengeEarly, ChallengeMismatch, InputInvalid
from caregrid.proofs import schedule
from caregrid.proofs.podr2 import MIXED_BLOCKS, detection
from caregrid.proofs.schedule import ROUND_BLOCKS, Terms

HEIGHTS = st.integers(min_value=0, max_value=1 << 40)


@given(HEIGHTS)
def test_the_first_round_is_the_first(committed_at: int) -> None:
    """It is a round, and every earlier one would mix a block that is not after the commitment."""
    first = schedule.first_round(committed_at)
    assert schedule.is_round(first, committed_at)
    assert schedule.first_mixed(first) > committed_at
    assert not any(schedule.is_round(height, committed_at) for height in range(max(0, first - 40), first))
    assert first <= committed_at + MIXED_BLOCKS + ROUND_BLOCKS - 1


@given(HEIGHTS, st.integers(min_value=0, max_value=200))
def test_the_last_round_is_the_last(committed_at: int, later: int) -> None:
    """Its blocks are final and the next one's are not; before the first there is none."""
    finalized = committed_at + later
    if finalized < schedule.first_round(committed_at):
        with pytest.raises(ChallengeEarly, match=str(schedule.first_round(committed_at))):
            schedule.last_round(committed_at, finalized)
    else:
        last = schedule.last_round(committed_at, finalized)
        assert schedule.is_round(last, committed_at)
        assert last <= finalized < last + ROUND_BLOCKS


@pytest.mark.parametrize("height", [0, 131, 130, 135, 141])
def test_other_heights_are_refused(height: int) -> None:
    """Nobody chooses a height between rounds, or before the first."""
    with pytest.raises(ChallengeMismatch):
        schedule.require_round(height, 100)
    schedule.require_round(140, 100)


@given(st.floats(min_value=0.001, max_value=0.9999), st.integers(min_value=1, max_value=300))
def test_terms_from_a_probability(probability: float, damaged: int) -> None:
    """As few blocks as find so much damage with at least this probability; one fewer would not."""
    blocks = Terms.detecting(probability, damaged=damaged).blocks
    assert detection(damaged, blocks) >= probability
    assert detection(damaged, blocks - 1) < probability


def test_terms_are_bounded() -> None:
    """300 blocks unless said otherwise, which 1 % damage escapes once in 33 times; nonsense is refused."""
    assert (300, 12) == (Terms().blocks, Terms().fragments)
    assert Terms.detecting(0.969).blocks == 300
    for blocks, fragments in ((0, 1), (1025, 1), (1, 0), (1, 257)):
        with pytest.raises(InputInvalid):
            Terms(blocks=blocks, fragments=fragments)
    with pytest.raises(InputInvalid):
        Terms.detecting(1.0)


@given(
    st.integers(min_value=1, max_value=12_000),
    st.integers(min_value=1, max_value=1_024),
    st.floats(min_value=0.01, max_value=0.999999),
)
def test_rounds_until_damage_is_found(fragments: int, damaged: int, probability: float) -> None:
    """As few rounds as find it with at least this probability; one fewer would not."""
    rounds = schedule.rounds_needed(Terms(), fragments, damaged, probability)
    missed = 1 - min(1.0, 12 / fragments) * detection(damaged, 300)
    assert missed**rounds <= (1 - probability) * (1 + 1e-6)
    assert 1 == rounds or missed ** (rounds - 1) >= (1 - probability) * (1 - 1e-6)


def test_rounds_that_are_known() -> None:
    """A whole fragment of a small object is missed by no round; nonsense is refused."""
    assert 1 == schedule.rounds_needed(Terms(), 12, 1_024, 0.999999)
    assert 4 == schedule.rounds_needed(Terms(), 12, 10, 0.999999)
    assert 20 == schedule.rounds_needed(Terms(), 24, 1_024, 0.999999)
    for fragments, damaged, probability in ((0, 1, 0.5), (1, 0, 0.5), (1, 1, 1.0), (1, 1_025, 0.5)):
        with pytest.raises(InputInvalid):
            schedule.rounds_needed(Terms(), fragments, damaged, probability)
