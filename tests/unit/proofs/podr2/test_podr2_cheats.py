"""Whoever does not hold the fragment cannot answer for it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caregrid.errors import InputInvalid
from caregrid.proofs import podr2
from caregrid.proofs.podr2 import Challenge, Scheme
from tests.unit.proofs.podr2.slow import curve, schemes
from tests.unit.proofs.podr2.slow.field import P, R
from tests.unit.proofs.podr2.world import CHALLENGE, SEED, damaged, kept, verifier

if TYPE_CHECKING:
    from collections.abc import Callable

OTHER: Final = Challenge.from_seed(bytes(31) + b"\x07")

each_scheme = pytest.mark.parametrize("scheme", list(Scheme), ids=lambda scheme: scheme.value)


def accepted(scheme: Scheme, proof: bytes, *, challenge: Challenge = CHALLENGE, number: int = 1) -> bool:
    """Verify a proof for a fragment, as its owner or anybody would."""
    return podr2.verify(verifier(scheme), kept(scheme, number).digest, challenge, proof)


@each_scheme
def test_who_holds_the_fragment_answers(scheme: Scheme) -> None:
    """The honest answer is right, for few blocks, many and all."""
    for count in (1, 2, 31, 300, 1024):
        challenge = Challenge.from_seed(bytes(32), count)
        assert accepted(scheme, kept(scheme).prove(challenge), challenge=challenge)


@each_scheme
def test_a_deleted_fragment(scheme: Scheme) -> None:
    """The tags alone answer nothing."""
    stored = kept(scheme)
    proof = podr2.prove(bytes(podr2.FRAGMENT_LEN), stored.tags, CHALLENGE)
    assert not accepted(scheme, proof)


@each_scheme
def test_deleted_tags(scheme: Scheme) -> None:
    """The fragment alone answers nothing: tags of zeros are refused or give a wrong proof."""
    stored = kept(scheme)
    tags = stored.tags[:1] + bytes(scheme.tags_len - 1)
    try:
        proof = podr2.prove(stored.fragment, tags, CHALLENGE)
    except InputInvalid:
        assert scheme is Scheme.PUBLIC
    else:
        assert not accepted(scheme, proof)


@each_scheme
def test_a_truncated_fragment(scheme: Scheme) -> None:
    """Half of a fragment proves nothing, cut or filled with zeros."""
    stored, half = kept(scheme), podr2.FRAGMENT_LEN // 2
    with pytest.raises(InputInvalid, match="8,388,608"):
        podr2.prove(stored.fragment[:half], stored.tags, CHALLENGE)
    proof = podr2.prove(stored.fragment[:half] + bytes(half), stored.tags, CHALLENGE)
    assert not accepted(scheme, proof)


@each_scheme
def test_one_damaged_block(scheme: Scheme) -> None:
    """A single flipped bit spoils the answer when its block is asked for, and not otherwise."""
    stored = kept(scheme)
    asked = [index for index, _ in CHALLENGE.pairs()]
    spared = next(index for index in range(podr2.BLOCKS) if index not in asked)
    assert not accepted(scheme, podr2.prove(damaged(stored.fragment, asked[:1]), stored.tags, CHALLENGE))
    assert not accepted(scheme, podr2.prove(damaged(stored.fragment, asked[-1:]), stored.tags, CHALLENGE))
    assert accepted(scheme, podr2.prove(damaged(stored.fragment, [spared]), stored.tags, CHALLENGE))


@each_scheme
def test_every_byte_of_a_block_counts(scheme: Scheme) -> None:
    """The sectors leave out no byte: the first, the last and those at sectors' edges spoil the answer."""
    stored, challenge = kept(scheme), Challenge.of([(7, 12_345)])
    assert accepted(scheme, stored.prove(challenge), challenge=challenge)
    for at in (0, 14, 15, 30, 31, 8183, 8184, 8189, 8190, 8191):
        changed = bytearray(stored.fragment)
        changed[7 * podr2.BLOCK_LEN + at] ^= 0x80
        proof = podr2.prove(bytes(changed), stored.tags, challenge)
        assert not accepted(scheme, proof, challenge=challenge)


@each_scheme
def test_a_swapped_fragment(scheme: Scheme) -> None:
    """Another fragment of the same owner does not answer for this one, with its tags or with this one's."""
    stored, other = kept(scheme), kept(scheme, 2)
    assert not accepted(scheme, other.prove())
    assert not accepted(scheme, podr2.prove(other.fragment, stored.tags, CHALLENGE))
    assert not accepted(scheme, podr2.prove(stored.fragment, other.tags, CHALLENGE))


@each_scheme
def test_swapped_blocks(scheme: Scheme) -> None:
    """A block with its tag does not answer in the place of another one."""
    stored, width = kept(scheme), (scheme.tags_len - 1) // podr2.BLOCKS
    content = stored.fragment[podr2.BLOCK_LEN : 2 * podr2.BLOCK_LEN] + stored.fragment[podr2.BLOCK_LEN :]
    tags = stored.tags[:1] + stored.tags[1 + width : 1 + 2 * width] + stored.tags[1 + width :]
    challenge = Challenge.of([(0, 3)])
    assert not accepted(scheme, podr2.prove(content, tags, challenge), challenge=challenge)


@each_scheme
def test_a_replayed_proof(scheme: Scheme) -> None:
    """What answered an earlier challenge does not answer a later one."""
    old = kept(scheme).prove(OTHER)
    assert accepted(scheme, old, challenge=OTHER)
    assert not accepted(scheme, old)


@each_scheme
def test_a_proof_for_other_coefficients(scheme: Scheme) -> None:
    """The same blocks with one coefficient changed are another challenge."""
    pairs = CHALLENGE.pairs()
    changed = Challenge.of([(pairs[0][0], pairs[0][1] ^ 2), *pairs[1:]])
    proof = kept(scheme).prove(changed)
    assert accepted(scheme, proof, challenge=changed)
    assert not accepted(scheme, proof)


@each_scheme
def test_a_proof_for_fewer_blocks(scheme: Scheme) -> None:
    """Leaving one block out is noticed."""
    assert not accepted(scheme, kept(scheme).prove(Challenge.of(CHALLENGE.pairs()[:-1])))


@each_scheme
def test_zeros_and_random_bytes(scheme: Scheme) -> None:
    """Neither a proof of zeros nor one of chance is right, nor one with only the tag left out."""
    kind, sigma_len = kept(scheme).prove()[:1], 48 if scheme is Scheme.PUBLIC else 16
    assert not accepted(scheme, bytes(scheme.proof_len))
    assert not accepted(scheme, kind + bytes(scheme.proof_len - 1))
    assert not accepted(scheme, kind + b"\xc0" + bytes(scheme.proof_len - 2))
    for _ in range(10):
        assert not accepted(scheme, kind + secrets.token_bytes(scheme.proof_len - 1))
    honest = kept(scheme).prove()
    assert not accepted(scheme, kind + bytes(sigma_len) + honest[1 + sigma_len :])
    assert not accepted(scheme, honest[: 1 + sigma_len] + bytes(len(honest) - 1 - sigma_len))


@each_scheme
def test_a_sum_of_two_proofs(scheme: Scheme) -> None:
    """Proofs can be added, but the sum answers only the sum of challenges, and for none of two fragments."""
    add = public_sum if scheme is Scheme.PUBLIC else private_sum
    first, second = kept(scheme).prove(), kept(scheme).prove(OTHER)
    both = add(first, second)
    assert not accepted(scheme, both)
    assert not accepted(scheme, both, challenge=OTHER)
    assert not accepted(scheme, add(first, first))
    fragments = add(first, kept(scheme, 2).prove())
    assert not accepted(scheme, fragments)
    assert not accepted(scheme, fragments, number=2)


@each_scheme
def test_sums_are_what_the_attack_needs(scheme: Scheme) -> None:
    """The sums of the test above are well made: one answers the challenge with both coefficients added."""
    add = public_sum if scheme is Scheme.PUBLIC else private_sum
    one, two, three = (Challenge.of([(5, coefficient)]) for coefficient in (1, 2, 3))
    total = add(kept(scheme).prove(one), kept(scheme).prove(two))
    assert kept(scheme).prove(three) == total
    assert accepted(scheme, total, challenge=three)


@each_scheme
def test_another_owner(scheme: Scheme) -> None:
    """A proof from one owner's tags is not right under another owner's key."""
    stranger = verifier(scheme, SEED[::-1])
    assert not podr2.verify(stranger, kept(scheme).digest, CHALLENGE, kept(scheme).prove())


@each_scheme
def test_the_other_scheme(scheme: Scheme) -> None:
    """A proof of the one scheme is none of the other."""
    other = next(kind for kind in Scheme if kind is not scheme)
    assert not accepted(scheme, kept(other).prove())


def test_a_negated_point() -> None:
    """The same coordinate with the other sign is another point."""
    proof = kept(Scheme.PUBLIC).prove()
    assert not accepted(Scheme.PUBLIC, proof[:1] + bytes([proof[1] ^ 0x20]) + proof[2:])


@pytest.mark.parametrize("scheme", list(Scheme), ids=lambda scheme: scheme.value)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_flipped_bit(scheme: Scheme, data: st.DataObject) -> None:
    """No bit of a proof can be changed."""
    proof = bytearray(_honest(scheme))
    bit = data.draw(st.integers(0, len(proof) * 8 - 1))
    proof[bit // 8] ^= 1 << bit % 8
    assert not podr2.verify(verifier(scheme), kept(scheme).digest, _SMALL, bytes(proof))


_SMALL: Final = Challenge.from_seed(bytes(32), 3)
_PROOFS: Final[dict[Scheme, bytes]] = {}


def _honest(scheme: Scheme) -> bytes:
    if scheme not in _PROOFS:
        _PROOFS[scheme] = kept(scheme).prove(_SMALL)
    return _PROOFS[scheme]


def public_sum(left: bytes, right: bytes) -> bytes:
    """Add two proofs of the public scheme, point and numbers."""
    sigma = curve.add(curve.decompress(left[1:49]), curve.decompress(right[1:49]))
    assert sigma is not None
    assert sigma[1] < P
    return left[:1] + curve.compress(sigma) + add_numbers(left[49:], right[49:], 32, R)


def private_sum(left: bytes, right: bytes) -> bytes:
    """Add two proofs of the private scheme."""
    return left[:1] + add_numbers(left[1:], right[1:], 16, schemes.M)


def add_numbers(left: bytes, right: bytes, width: int, modulus: int) -> bytes:
    """Add the numbers in two rows."""
    read: Callable[[bytes, int], int] = lambda row, at: int.from_bytes(row[at : at + width], "little")  # noqa: E731
    sums = [(read(left, at) + read(right, at)) % modulus for at in range(0, len(left), width)]
    return b"".join(value.to_bytes(width, "little") for value in sums)
