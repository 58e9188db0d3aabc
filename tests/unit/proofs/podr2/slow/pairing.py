"""Pairings of BLS12-381 in plain Python, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.proofs.podr2.slow import curve, field
from tests.unit.proofs.podr2.slow.field import ONE12, ZERO2, Fp2, Fp12, P, R, Z

if TYPE_CHECKING:
    from tests.unit.proofs.podr2.slow.curve import Point, Point2


def product_is_one(*pairs: tuple[Point, Point2]) -> bool:
    """Tell whether the product of the pairings is one."""
    product = ONE12
    for left, right in pairs:
        if left is not None and right is not None:
            product = field.multiply12(product, _loop(left, right))
    return field.power12(product, (P**12 - 1) // R) == ONE12


def _loop(left: tuple[int, int], right: tuple[Fp2, Fp2]) -> Fp12:
    # The parameter's sign would turn each factor into its inverse, which a product of one does not feel.
    value, place = ONE12, right
    for bit in f"{Z:b}"[1:]:
        value, place = _step(field.multiply12(value, value), place, place, left)
        if bit == "1":
            value, place = _step(value, place, right, left)
    return value


def _step(
    value: Fp12, place: tuple[Fp2, Fp2], other: tuple[Fp2, Fp2], at: tuple[int, int]
) -> tuple[Fp12, tuple[Fp2, Fp2]]:
    reached = curve.add2(place, other)
    assert reached is not None, "a point of large order does not reach zero in so few steps"
    return field.multiply12(value, _line(place, other, at)), reached


def _line(first: tuple[Fp2, Fp2], second: tuple[Fp2, Fp2], at: tuple[int, int]) -> Fp12:
    # The points stand for (x / w**2, y / w**3); the line is scaled by w**3, which the last power takes away.
    slope = curve.slope2(first, second)
    constant = field.subtract2(field.multiply2(slope, first[0]), first[1])
    square = field.multiply2(slope, ((P - at[0]) % P, 0))
    return constant, ZERO2, square, (at[1], 0), ZERO2, ZERO2
