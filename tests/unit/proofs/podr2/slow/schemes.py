"""Both schemes in plain Python, for tests: what `docs/reference/podr2.md` says, without the native code."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from tests.unit.proofs.podr2.slow import curve, pairing
from tests.unit.proofs.podr2.slow.field import P, R
from tests.unit.proofs.podr2.slow.hashing import hash_to_g1

if TYPE_CHECKING:
    from tests.unit.proofs.podr2.slow.curve import Point

BLOCKS: Final = 1024
BLOCK_LEN: Final = 8192
#: The field of the private scheme.
M: Final = 2**127 - 1
HASH_TAG: Final = b"caregrid/podr2/v1/BLS12381G1_XMD:SHA-256_SSWU_RO_"

_SALT: Final = b"caregrid/podr2/v1"
_STREAM: Final = b"caregrid/podr2/v1/challenge"

Pairs = list[tuple[int, int]]


def secret(seed: bytes, label: bytes, number: int, length: int) -> bytes:
    """Return HKDF-SHA256 of a key's seed."""
    key = hmac.digest(_SALT, seed, sha256)
    info, block, output = label + number.to_bytes(2, "little"), b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(key, block + info + bytes([counter]), sha256)
        output += block
    return output[:length]


def challenge(seed: bytes, count: int) -> Pairs:
    """Return the blocks and coefficients of a seed."""
    head = _STREAM + seed + count.to_bytes(2, "little")
    stream = b"".join(sha256(head + block.to_bytes(4, "little")).digest() for block in range(2000))
    indexes, at = set[int](), 0
    while len(indexes) < count:
        indexes.add(int.from_bytes(stream[at : at + 2], "little") % BLOCKS)
        at += 2
    pairs = []
    for index in sorted(indexes):
        coefficient = 0
        while not 0 < coefficient < M:
            coefficient = int.from_bytes(stream[at : at + 16], "little") % 2**127
            at += 16
        pairs.append((index, coefficient))
    return pairs


def sectors(fragment: bytes, index: int, length: int) -> list[int]:
    """Return a block's sectors as numbers."""
    block = fragment[index * BLOCK_LEN : (index + 1) * BLOCK_LEN]
    return [int.from_bytes(block[at : at + length], "little") for at in range(0, BLOCK_LEN, length)]


def sums(fragment: bytes, pairs: Pairs, length: int, modulus: int) -> list[int]:
    """Return for each sector the sum over the blocks, each times its coefficient."""
    rows = [
        [value * coefficient for value in sectors(fragment, index, length)] for index, coefficient in pairs
    ]
    return [sum(column) % modulus for column in zip(*rows, strict=True)]


class Public:
    """The scheme that anybody can verify."""

    SECTOR_LEN: Final = 31
    SECTORS: Final = 265

    def __init__(self, seed: bytes) -> None:
        self.x = int.from_bytes(secret(seed, b"public/x", 0, 48), "little") % R
        labels = ((b"public/a", sector) for sector in range(self.SECTORS))
        self.exponents = [int.from_bytes(secret(seed, *label, 48), "little") % R for label in labels]

    def public_key(self) -> bytes:
        """Return the public key, encoded."""
        key = curve.multiply2(curve.G2, self.x)
        assert key is not None, "the secret is not zero"
        points = [curve.compress(curve.multiply(curve.G1, exponent)) for exponent in self.exponents]
        return b"\x11" + curve.compress2(key) + b"".join(points)

    def tag(self, fragment: bytes, name: bytes, index: int) -> Point:
        """Return the tag of one block."""
        values = sectors(fragment, index, self.SECTOR_LEN)
        exponent = sum(a * m for a, m in zip(self.exponents, values, strict=True)) % R
        point = curve.add(_hash(name, index), curve.multiply(curve.G1, exponent))
        return curve.multiply(point, self.x)

    def prove(self, fragment: bytes, tags: dict[int, bytes], pairs: Pairs) -> bytes:
        """Answer a challenge; without the key, whatever the name of the class is."""
        sigma: Point = None
        for index, coefficient in pairs:
            sigma = curve.add(sigma, curve.multiply(curve.decompress(tags[index]), coefficient))
        numbers = sums(fragment, pairs, self.SECTOR_LEN, R)
        return b"\x13" + curve.compress(sigma) + b"".join(mu.to_bytes(32, "little") for mu in numbers)

    def verify(self, name: bytes, pairs: Pairs, proof: bytes) -> bool:
        """Check a proof of the right length by two pairings."""
        sigma = curve.decompress(proof[1:49])
        numbers = [int.from_bytes(proof[at : at + 32], "little") for at in range(49, len(proof), 32)]
        expected: Point = None
        for index, coefficient in pairs:
            expected = curve.add(expected, curve.multiply(_hash(name, index), coefficient))
        # The generators are the base times the exponents: one product for all of them.
        total = sum(a * mu for a, mu in zip(self.exponents, numbers, strict=True)) % R
        expected = curve.add(expected, curve.multiply(curve.G1, total))
        assert sigma is not None, "zero is refused when it is read"
        negated = (sigma[0], P - sigma[1])
        return pairing.product_is_one((negated, curve.G2), (expected, curve.multiply2(curve.G2, self.x)))


class Private:
    """The scheme that only the owner can verify."""

    SECTOR_LEN: Final = 15
    SECTORS: Final = 547

    def __init__(self, seed: bytes) -> None:
        self.key = secret(seed, b"private/f", 0, 32)
        labels = ((b"private/a", sector) for sector in range(self.SECTORS))
        self.factors = [int.from_bytes(secret(seed, *label, 32), "little") % M for label in labels]

    def mask(self, name: bytes, index: int) -> int:
        """Return the pseudo-random number of a block."""
        return int.from_bytes(hmac.digest(self.key, name + index.to_bytes(2, "little"), sha256), "little") % M

    def tag(self, fragment: bytes, name: bytes, index: int) -> int:
        """Return the tag of one block."""
        values = sectors(fragment, index, self.SECTOR_LEN)
        return (self.mask(name, index) + sum(a * m for a, m in zip(self.factors, values, strict=True))) % M

    def tags(self, fragment: bytes, name: bytes) -> bytes:
        """Return all tags, encoded."""
        numbers = [self.tag(fragment, name, index) for index in range(BLOCKS)]
        return b"\x22" + b"".join(number.to_bytes(16, "little") for number in numbers)

    def prove(self, fragment: bytes, tags: bytes, pairs: Pairs) -> bytes:
        """Answer a challenge; without the key, whatever the name of the class is."""
        read = [int.from_bytes(tags[1 + 16 * index : 17 + 16 * index], "little") for index, _ in pairs]
        sigma = sum(value * coefficient for value, (_, coefficient) in zip(read, pairs, strict=True)) % M
        numbers = [sigma, *sums(fragment, pairs, self.SECTOR_LEN, M)]
        return b"\x23" + b"".join(number.to_bytes(16, "little") for number in numbers)

    def verify(self, name: bytes, pairs: Pairs, proof: bytes) -> bool:
        """Check a proof of the right length."""
        sigma, *numbers = (int.from_bytes(proof[at : at + 16], "little") for at in range(1, len(proof), 16))
        masks = sum(self.mask(name, index) * coefficient for index, coefficient in pairs)
        return sigma == (masks + sum(a * mu for a, mu in zip(self.factors, numbers, strict=True))) % M


def _hash(name: bytes, index: int) -> Point:
    return hash_to_g1(name + index.to_bytes(2, "little"), HASH_TAG)
