"""Where the bytes of a sealed record lie.

Format: Tink's AES256-GCM-HKDF streaming AEAD. A header of 40 bytes, then segments of ciphertext, each with
its 16-byte tag. Header and first segment together, and each later segment, fill `segment_size` bytes; only
the record's last segment may be shorter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from caregrid.errors import InputInvalid, InputTooLarge, SealBroken

SEGMENT_SIZE: Final = 1 << 20  #: bytes of ciphertext, the only size that format v1 knows
SALT_LEN: Final = 32
NONCE_PREFIX_LEN: Final = 7
HEADER_LEN: Final = 1 + SALT_LEN + NONCE_PREFIX_LEN
TAG_LEN: Final = 16
MAX_SEGMENTS: Final = 1 << 32  #: the segment counter has four bytes


@dataclass(frozen=True, slots=True)
class Layout:
    """Lengths and positions for one segment size; `FORMAT_V1` is the one in use."""

    segment_size: int

    @property
    def plain_size(self) -> int:
        """Plaintext bytes in a full segment; the first holds `HEADER_LEN` fewer."""
        return self.segment_size - TAG_LEN

    @property
    def max_plain_length(self) -> int:
        """Longest plaintext the segment counter can number."""
        return MAX_SEGMENTS * self.plain_size - HEADER_LEN

    def sealed_length(self, plain_length: int) -> int:
        """Return how many bytes a plaintext of this length takes once sealed.

        Raises:
            InputTooLarge: longer than the segment counter can number, about 4 PiB.
        """
        if plain_length < 0:
            raise InputInvalid("a length cannot be negative; pass the plaintext's number of bytes")
        if plain_length > self.max_plain_length:
            raise InputTooLarge(limit=self.max_plain_length)
        segments = max(1, _ceil_div(plain_length + HEADER_LEN, self.plain_size))
        return HEADER_LEN + plain_length + segments * TAG_LEN

    def plain_length(self, sealed_length: int) -> int:
        """Return the plaintext's length, from the sealed length alone.

        Raises:
            SealBroken: no plaintext seals to this length, so bytes are missing or too many.
        """
        segments = _ceil_div(sealed_length, self.segment_size)
        plain = sealed_length - HEADER_LEN - segments * TAG_LEN
        if plain < 0 or segments > MAX_SEGMENTS or self.sealed_length(plain) != sealed_length:
            raise SealBroken
        return plain

    def segment_of(self, plain_offset: int) -> int:
        """Return the number of the segment that holds this plaintext byte."""
        return (plain_offset + HEADER_LEN) // self.plain_size

    def plain_start(self, segment: int) -> int:
        """Return the offset of a segment's first plaintext byte."""
        return max(0, segment * self.plain_size - HEADER_LEN)


FORMAT_V1: Final = Layout(SEGMENT_SIZE)


def sealed_length(plain_length: int) -> int:
    """Return how many bytes a plaintext of this length takes once sealed in format v1.

    Raises:
        InputTooLarge: longer than the segment counter can number, about 4 PiB.
    """
    return FORMAT_V1.sealed_length(plain_length)


def plain_length(sealed_length: int) -> int:
    """Return the length of the plaintext inside a sealed record of format v1.

    Raises:
        SealBroken: no plaintext seals to this length.
    """
    return FORMAT_V1.plain_length(sealed_length)


def _ceil_div(number: int, divisor: int) -> int:
    return -(-number // divisor)
