"""The groups of BLS12-381 in plain Python, for tests: affine points, None for zero."""

from __future__ import annotations

from typing import Final

from tests.unit.proofs.podr2.slow import field
from tests.unit.proofs.podr2.slow.field import Fp2, P, R

Point = tuple[int, int] | None
Point2 = tuple[Fp2, Fp2] | None

#: The generators of the standard.
G1: Final[Point] = (
    0x17F1D3A73197D7942695638C4FA9AC0FC3688C4F9774B905A14E3A3F171BAC586C55E83FF97A1AEFFB3AF00ADB22C6BB,
    0x08B3F481E3AAA0F1A09E30ED741D8AE4FCF5E095D5D00AF600DB18CB2C04B3EDD03CC744A2888AE40CAA232946C5E7E1,
)
G2: Final[Point2] = (
    (
        0x024AA2B2F08F0A91260805272DC51051C6E47AD4FA403B02B4510B647AE3D1770BAC0326A805BBEFD48056C8C121BDB8,
        0x13E02B6052719F607DACD3A088274F65596BD0D09920B61AB5DA61BBDC7F5049334CF11213945D57E5AC7D055D042B7E,
    ),
    (
        0x0CE5D527727D6E118CC9CDC6DA2E351AADFD9BAA8CBDD3A76D429A695160D12C923AC9CC3BACA289E193548608B82801,
        0x0606C4A02EA734CC32ACD2B02BC28B99CB3E287E85A763AF267492AB572E99AB3F370D275CEC1DA1AAA9075FF05F79BE,
    ),
)

_COMPRESSED: Final = 0x80
_INFINITY: Final = 0x40
_LARGER: Final = 0x20
_COORDINATE_LEN: Final = 48


def add(left: Point, right: Point, a: int = 0) -> Point:
    """Return the sum on a curve `y**2 == x**3 + a * x + b`."""
    if left is None or right is None:
        return right if left is None else left
    (x1, y1), (x2, y2) = left, right
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    if left == right:
        slope = (3 * x1 * x1 + a) * pow(2 * y1, -1, P) % P
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, P) % P
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def multiply(point: Point, scalar: int) -> Point:
    """Return a point times a number that is not negative."""
    result: Point = None
    for bit in f"{scalar:b}":
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def add2(left: Point2, right: Point2) -> Point2:
    """Return the sum in the other group."""
    if left is None or right is None:
        return right if left is None else left
    if left[0] == right[0] and field.add2(left[1], right[1]) == field.ZERO2:
        return None
    slope = slope2(left, right)
    x = field.subtract2(field.subtract2(field.multiply2(slope, slope), left[0]), right[0])
    return x, field.subtract2(field.multiply2(slope, field.subtract2(left[0], x)), left[1])


def slope2(left: tuple[Fp2, Fp2], right: tuple[Fp2, Fp2]) -> Fp2:
    """Return the slope of the line through two points, or of the tangent in one."""
    (x1, y1), (x2, y2) = left, right
    if left == right:
        rise, run = field.multiply2((3, 0), field.multiply2(x1, x1)), field.add2(y1, y1)
    else:
        rise, run = field.subtract2(y2, y1), field.subtract2(x2, x1)
    return field.multiply2(rise, field.inverse2(run))


def multiply2(point: Point2, scalar: int) -> Point2:
    """Return a point of the other group times a number that is not negative."""
    result: Point2 = None
    for bit in f"{scalar:b}":
        result = add2(result, result)
        if bit == "1":
            result = add2(result, point)
    return result


def compress(point: Point) -> bytes:
    """Return the 48 bytes of a point, big-endian, with three flags above."""
    if point is None:
        return bytes([_COMPRESSED | _INFINITY]) + bytes(_COORDINATE_LEN - 1)
    x, y = point
    return _flagged(x.to_bytes(_COORDINATE_LEN, "big"), larger=y > P - y)


def compress2(point: tuple[Fp2, Fp2]) -> bytes:
    """Return the 96 bytes of a point other than zero: the coefficient of u first."""
    (x0, x1), (y0, y1) = point
    larger = y1 > P - y1 if y1 else y0 > P - y0
    return _flagged(x1.to_bytes(_COORDINATE_LEN, "big") + x0.to_bytes(_COORDINATE_LEN, "big"), larger=larger)


def decompress(data: bytes) -> Point:
    """Return the point of 48 bytes; it must lie in the group and not be zero."""
    if len(data) != _COORDINATE_LEN or not data[0] & _COMPRESSED or data[0] & _INFINITY:
        raise ValueError("no compressed point")
    x = int.from_bytes(data, "big") & ((1 << 381) - 1)
    y = pow(x**3 + 4, (P + 1) // 4, P)
    if x >= P or y * y % P != (x**3 + 4) % P:
        raise ValueError("no point of the curve")
    point = (x, y if (y > P - y) == bool(data[0] & _LARGER) else P - y)
    if multiply(point, R) is not None:
        raise ValueError("no point of the group")
    return point


def _flagged(data: bytes, *, larger: bool) -> bytes:
    return bytes([data[0] | _COMPRESSED | (_LARGER if larger else 0)]) + data[1:]
