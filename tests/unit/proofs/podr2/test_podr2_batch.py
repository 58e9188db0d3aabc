"""Many proofs verified together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from caregrid.errors import InputInvalid, InputTooLarge
from caregrid.proofs import podr2
from caregrid.proofs.podr2 import Challenge, Claim
from tests.unit.proofs.podr2.slow import curve, field
from tests.unit.proofs.podr2.test_podr2_cheats import add_numbers
from tests.unit.proofs.podr2.world import SEED, claim

SMALL = [Challenge.from_seed(bytes([label]) * 32, 5) for label in range(1, 6)]
STRANGER = SEED[::-1]


def claims() -> list[Claim]:
    """Return true claims about two fragments of one owner and one of another."""
    mine = [claim(number, challenge=asked) for asked in SMALL for number in (1, 2)]
    return [*mine[:3], claim(1, STRANGER, SMALL[0]), *mine[3:]]


def test_true_claims() -> None:
    """All are true, whoever owns the fragments, on one thread or several."""
    assert [True] * 11 == podr2.verify_batch(claims())
    assert [True] * 11 == podr2.verify_batch(claims(), threads=3)
    assert [True] == podr2.verify_batch(claims()[:1])
    assert [] == podr2.verify_batch([])


@pytest.mark.parametrize("place", [0, 3, 10])
def test_a_false_claim_is_found(place: int) -> None:
    """It is told which one is false, and the others stay true."""
    wrong = claims()
    wrong[place] = replace(wrong[place], digest=bytes(32))
    assert [at != place for at in range(11)] == podr2.verify_batch(wrong)


def test_malformed_proofs_are_false() -> None:
    """Bytes that are no proof spoil only their own claim."""
    wrong = claims()
    wrong[2] = replace(wrong[2], proof=b"")
    wrong[7] = replace(wrong[7], proof=wrong[7].proof[:-1] + b"\xff")
    assert [at not in {2, 7} for at in range(11)] == podr2.verify_batch(wrong)


def test_faults_that_cancel_are_found() -> None:
    """Two wrong proofs whose sum is right do not pass: each counts for a factor that nobody can foresee."""
    first, second = claim(1, challenge=SMALL[0]), claim(2, challenge=SMALL[1])
    shift = curve.multiply(curve.G1, 99)
    assert shift is not None
    back = (shift[0], -shift[1] % field.P)
    wrong = [_shifted(first, shift), _shifted(second, back)]
    total = curve.add(_sigma(first), _sigma(second))
    assert total == curve.add(_sigma(wrong[0]), _sigma(wrong[1]))
    assert [False, False] == podr2.verify_batch(wrong)


def test_swapped_proofs_are_found() -> None:
    """Right proofs at each other's place are wrong."""
    first, second = claim(1, challenge=SMALL[0]), claim(2, challenge=SMALL[0])
    wrong = [replace(first, proof=second.proof), replace(second, proof=first.proof)]
    assert [False, False] == podr2.verify_batch(wrong)


def test_numbers_that_cancel_are_found() -> None:
    """The same for the numbers of two proofs: one too much here, one too little there."""
    first, second = claim(1, challenge=SMALL[0]), claim(1, challenge=SMALL[1])
    one = (1).to_bytes(32, "little") + bytes(264 * 32)
    less = (field.R - 1).to_bytes(32, "little") + bytes(264 * 32)
    wrong = [_counted(first, one), _counted(second, less)]
    assert [False, False] == podr2.verify_batch(wrong)


def test_refusals() -> None:
    """Too many claims and names that are none are refused."""
    true = claim(1, challenge=SMALL[0])
    with pytest.raises(InputTooLarge, match="4096"):
        podr2.verify_batch([true] * (podr2.MAX_CLAIMS + 1))
    with pytest.raises(InputInvalid, match="32 bytes"):
        podr2.verify_batch([true, replace(true, digest=b"short")])


def _sigma(made: Claim) -> curve.Point:
    return curve.decompress(made.proof[1:49])


def _shifted(made: Claim, shift: curve.Point) -> Claim:
    sigma = curve.add(_sigma(made), shift)
    return replace(made, proof=made.proof[:1] + curve.compress(sigma) + made.proof[49:])


def _counted(made: Claim, numbers: bytes) -> Claim:
    return replace(made, proof=made.proof[:49] + add_numbers(made.proof[49:], numbers, 32, field.R))
