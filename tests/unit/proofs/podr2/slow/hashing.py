"""Hashing to G1 by RFC 9380 in plain Python, for tests: BLS12381G1_XMD:SHA-256_SSWU_RO_."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.unit.proofs.podr2.slow import curve
from tests.unit.proofs.podr2.slow.field import P, Z

if TYPE_CHECKING:
    from tests.unit.proofs.podr2.slow.curve import Point

_SHA_BLOCK: Final = 64
_ELEMENT_LEN: Final = 64
_NON_SQUARE: Final = 11
_NUMBERS: Final = json.loads((Path(__file__).parent / "isogeny.json").read_text())
_A: Final = int(_NUMBERS["a"], 16)
_B: Final = int(_NUMBERS["b"], 16)


def hash_to_g1(message: bytes, tag: bytes) -> Point:
    """Return the point of a message under a domain separation tag."""
    uniform = expand(message, tag, 2 * _ELEMENT_LEN)
    first, second = (int.from_bytes(half, "big") % P for half in (uniform[:64], uniform[64:]))
    total = curve.add(_map(first), _map(second), a=_A)
    return curve.multiply(_isogeny(total), 1 + Z)


def expand(message: bytes, tag: bytes, length: int) -> bytes:
    """Return expand_message_xmd of section 5.3.1."""
    suffix = tag + bytes([len(tag)])
    start = sha256(bytes(_SHA_BLOCK) + message + length.to_bytes(2, "big") + b"\0" + suffix).digest()
    block = sha256(start + b"\x01" + suffix).digest()
    blocks = [block]
    for number in range(2, -(-length // len(block)) + 1):
        mixed = bytes(a ^ b for a, b in zip(start, block, strict=True))
        block = sha256(mixed + bytes([number]) + suffix).digest()
        blocks.append(block)
    return b"".join(blocks)[:length]


def _map(u: int) -> Point:
    """The simplified map of Shallue, van de Woestijne and Ulas to the isogenous curve, section 6.6.2."""
    zu2 = _NON_SQUARE * u * u % P
    denominator = (zu2 * zu2 + zu2) % P
    if denominator:
        x = -_B * pow(_A, -1, P) * (1 + pow(denominator, -1, P)) % P
    else:
        x = _B * pow(_NON_SQUARE * _A, -1, P) % P
    if not _is_square(_right_side(x)):
        x = zu2 * x % P
    y = pow(_right_side(x), (P + 1) // 4, P)
    return x, y if y % 2 == u % 2 else P - y


def _right_side(x: int) -> int:
    return (x**3 + _A * x + _B) % P


def _is_square(value: int) -> bool:
    return pow(value, (P - 1) // 2, P) in {0, 1}


def _isogeny(point: Point) -> Point:
    if point is None:
        return None
    x, y = point
    new_x = _at("x_numerator", x) * pow(_at("x_denominator", x), -1, P) % P
    return new_x, y * _at("y_numerator", x) * pow(_at("y_denominator", x), -1, P) % P


def _at(polynomial: str, x: int) -> int:
    value = 0
    for coefficient in reversed(_NUMBERS[polynomial]):
        value = (value * x + int(coefficient, 16)) % P
    return value
