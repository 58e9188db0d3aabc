"""Proof bundles: their form, and what they show."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caregrid.errors import CaregridError, ChallengeMismatch, CommitmentMismatch, InputInvalid
from caregrid.proofs.bundle import MAX_BUNDLE_LEN, Bundle, Reply
from caregrid.proofs.podr2 import Scheme
from caregrid.proofs.schedule import Terms
from caregrid.proofs.verdict import Finding, fragments_of, judge
from tests.unit.proofs.podr2.world import kept
from tests.unit.proofs.rounds import (
    HASHES,
    HEIGHT,
    TAGGED,
    TERMS,
    answer,
    beacon,
    bundle,
    content_of,
    facts,
    silent,
    tag_list,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def test_an_honest_round() -> None:
    """All that was asked for is proved."""
    verdict = judge(bundle(), facts(), TERMS)
    assert dict.fromkeys(beacon().selected(TAGGED, TERMS), Finding.PASSED) == verdict.findings
    assert (HEIGHT, Finding.PASSED) == (verdict.height, verdict.worst)


@pytest.mark.parametrize("reply", [Reply.OFFLINE, Reply.CONTAINED, Reply.UNKNOWN])
def test_silence_condemns_nobody(reply: Reply) -> None:
    """A node without an answer has not failed, and the others have passed."""
    verdict = judge(silent(reply), facts(), TERMS)
    assert reply.name.lower() == verdict.worst.value
    assert [Finding.PASSED] * 4 == list(verdict.findings.values())[1:]


def test_a_wrong_proof_fails() -> None:
    """Another fragment's right answer, to the same challenge or its own, is a proved wrong one."""
    first, *rest = bundle().answers
    other = 3 - content_of(first.number)
    challenge = beacon().challenge(first.entry.digest, TERMS)
    wrong = replace(first, proof=kept(Scheme.PUBLIC, other).prove(challenge))
    verdict = judge(replace(bundle(), answers=(wrong, *rest)), facts(), TERMS)
    assert Finding.FAILED is verdict.worst
    assert Finding.FAILED is verdict.findings[first.number]
    assert {Finding.PASSED} == {verdict.findings[each.number] for each in rest}


def test_encoding_and_back() -> None:
    """What is written is read again, with and without proofs, and is within bounds."""
    for made in (bundle(), silent(Reply.OFFLINE)):
        assert made == Bundle.decode(made.encode())
        assert made.digest() == Bundle.decode(made.encode()).digest()
        assert len(made.encode()) <= MAX_BUNDLE_LEN


CHALLENGES: dict[str, Callable[[Bundle], Bundle]] = {
    "another chain": lambda made: replace(made, genesis_hash=bytes(32)),
    "another object": lambda made: replace(made, object_id=bytes(32)),
    "an earlier commitment": lambda made: replace(made, committed_at=made.committed_at - 1),
    "a block hash": lambda made: replace(made, block_hashes=(bytes(32), *HASHES[1:])),
    "block hashes in another order": lambda made: replace(made, block_hashes=HASHES[::-1]),
    "fewer blocks": lambda made: replace(made, blocks=19),
    "more fragments": lambda made: replace(made, tagged=TAGGED + 12),
    "one answer less": lambda made: replace(made, answers=made.answers[1:]),
    "a height that is no round": lambda made: replace(made, height=HEIGHT + 1),
}
COMMITMENTS: dict[str, Callable[[Bundle], Bundle]] = {
    "another key": lambda made: replace(made, key=made.key[:50] + b"\0" + made.key[51:]),
    "another generator": lambda made: replace(made, key=made.key[:-1] + bytes([made.key[-1] ^ 1])),
    "another fragment": lambda made: _with_first(made, digest=bytes(32)),
    "other tags": lambda made: _with_first(made, tags=bytes(32)),
    "a shorter path": lambda made: replace(
        made, answers=(replace(made.answers[0], path=made.answers[0].path[1:]), *made.answers[1:])
    ),
}


def _with_first(made: Bundle, **changed: bytes) -> Bundle:
    first, *rest = made.answers
    return replace(made, answers=(replace(first, entry=replace(first.entry, **changed)), *rest))


@pytest.mark.parametrize("change", CHALLENGES)
def test_another_challenge_is_refused(change: str) -> None:
    """What was asked has to be what the chain and the terms say."""
    with pytest.raises(ChallengeMismatch):
        judge(CHALLENGES[change](bundle()), facts(), TERMS)


@pytest.mark.parametrize("change", COMMITMENTS)
def test_another_commitment_is_refused(change: str) -> None:
    """Key, fragments and tags have to be those committed to."""
    with pytest.raises(CommitmentMismatch):
        judge(COMMITMENTS[change](bundle()), facts(), TERMS)


def test_answers_for_fragments_of_ones_choice_are_refused() -> None:
    """A custodian cannot leave out a fragment by answering for another."""
    asked = beacon().selected(TAGGED, TERMS)
    instead = next(number for number in range(TAGGED) if number not in asked)
    answers = sorted((*bundle().answers[1:], answer(instead)), key=lambda each: each.number)
    with pytest.raises(ChallengeMismatch):
        judge(replace(bundle(), answers=tuple(answers)), facts(), TERMS)


def test_terms_are_the_verifiers() -> None:
    """A bundle for fewer fragments or blocks than were agreed on is refused, and one for more as well."""
    for terms in (Terms(), Terms(blocks=21, fragments=5), Terms(blocks=20, fragments=4)):
        with pytest.raises(ChallengeMismatch):
            judge(bundle(), facts(), terms)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_flipped_bit_passes(data: st.DataObject) -> None:
    """Whatever bit of the file is flipped, the verdict is not that all passed."""
    encoded = bytearray(bundle().encode())
    place = data.draw(st.integers(min_value=0, max_value=len(encoded) - 1))
    encoded[place] ^= 1 << data.draw(st.integers(min_value=0, max_value=7))
    try:
        verdict = judge(Bundle.decode(bytes(encoded)), facts(), TERMS)
    except CaregridError:
        return
    assert Finding.PASSED is not verdict.worst


@given(
    st.binary(max_size=4_000) | st.binary(max_size=200).map(lambda more: bundle().encode()[:15_000] + more)
)
def test_anything_else_is_refused(encoded: bytes) -> None:
    """Bytes that are no bundle end in one kind of error."""
    with pytest.raises(InputInvalid):
        Bundle.decode(encoded)


@given(st.data())
@settings(max_examples=50)
def test_cut_and_lengthened_bundles_are_refused(data: st.DataObject) -> None:
    """A bundle ends where its last answer does."""
    encoded = bundle().encode()
    cut = data.draw(st.integers(min_value=0, max_value=len(encoded) - 1))
    for wrong in (encoded[:cut], encoded + b"\0", encoded.ljust(MAX_BUNDLE_LEN + 1, b"\0")):
        with pytest.raises(InputInvalid):
            Bundle.decode(wrong)


def test_no_bundle_has_that() -> None:
    """Answers twice or in another order, none at all, proofs of other lengths, numbers out of range."""
    first, *rest = bundle().answers
    for answers in ((), (first, first, *rest), (*rest, first), (replace(first, proof=b"x"), *rest)):
        with pytest.raises(InputInvalid):
            replace(bundle(), answers=answers)
    for changed in ({"blocks": 0}, {"blocks": 1025}, {"tagged": 1}, {"height": 1 << 64}, {"key": b""}):
        with pytest.raises(InputInvalid):
            replace(bundle(), **changed)


@pytest.mark.parametrize(
    ("size", "expected"), [(1, 12), (32 << 20, 12), ((32 << 20) + 1, 24), (1000 * (32 << 20), 12_000)]
)
def test_an_objects_fragments(size: int, expected: int) -> None:
    """Their number follows from the size on the chain; nobody chooses it."""
    assert expected == fragments_of(size)
    assert TAGGED == len(tag_list().fragments)
