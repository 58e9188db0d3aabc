"""The numbers of BLS12-381 in plain Python, for tests: slow, and meant to be read."""

from __future__ import annotations

from typing import Final

#: The field of the coordinates.
P: Final = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB
#: The order of the groups.
R: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
#: The absolute value of the curve's parameter, which is negative.
Z: Final = 0xD201000000010000

#: `a + b * u` where `u * u == -1`.
Fp2 = tuple[int, int]
#: Coefficients of powers of `w`, where `w**6 == 1 + u`.
Fp12 = tuple[Fp2, ...]

ZERO2: Final[Fp2] = (0, 0)
ONE12: Final[Fp12] = ((1, 0), ZERO2, ZERO2, ZERO2, ZERO2, ZERO2)


def add2(left: Fp2, right: Fp2) -> Fp2:
    """Return the sum."""
    return (left[0] + right[0]) % P, (left[1] + right[1]) % P


def subtract2(left: Fp2, right: Fp2) -> Fp2:
    """Return the difference."""
    return (left[0] - right[0]) % P, (left[1] - right[1]) % P


def multiply2(left: Fp2, right: Fp2) -> Fp2:
    """Return the product."""
    (a, b), (c, d) = left, right
    return (a * c - b * d) % P, (a * d + b * c) % P


def inverse2(value: Fp2) -> Fp2:
    """Return one divided by the value."""
    a, b = value
    norm = pow(a * a + b * b, -1, P)
    return a * norm % P, -b * norm % P


def multiply12(left: Fp12, right: Fp12) -> Fp12:
    """Return the product."""
    powers: list[Fp2] = [ZERO2] * 11
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            if ZERO2 not in {a, b}:
                powers[i + j] = add2(powers[i + j], multiply2(a, b))
    folded = [multiply2(high, (1, 1)) for high in powers[6:]] + [ZERO2]
    return tuple(add2(low, high) for low, high in zip(powers[:6], folded, strict=True))


def power12(value: Fp12, exponent: int) -> Fp12:
    """Return the value multiplied by itself."""
    result = ONE12
    for bit in f"{exponent:b}":
        result = multiply12(result, result)
        if bit == "1":
            result = multiply12(result, value)
    return result
