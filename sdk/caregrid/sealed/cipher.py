"""Seals and opens single segments of a record."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from caregrid.errors import (
    InputInvalid,
    InputTooLarge,
    SealBroken,
    SealForeign,
    SealFormatUnknown,
    SealTruncated,
)
from caregrid.records import RECORD_ID_LEN
from caregrid.sealed.layout import FORMAT_V1, HEADER_LEN, MAX_SEGMENTS, NONCE_PREFIX_LEN, SALT_LEN, TAG_LEN

if TYPE_CHECKING:
    from cryptography.utils import Buffer

DATA_KEY_LEN: Final = 32


@dataclass(frozen=True, slots=True)
class Header:
    """What stands in the clear before the first segment."""

    salt: bytes  #: 32 bytes, for the key derivation
    nonce_prefix: bytes  #: 7 bytes, shared by all segments

    @classmethod
    def random(cls) -> Self:
        """Draw a fresh header; one must never serve two records."""
        return cls(secrets.token_bytes(SALT_LEN), secrets.token_bytes(NONCE_PREFIX_LEN))

    @classmethod
    def parse(cls, data: Buffer) -> Self:
        """Read a header from the first 40 bytes of a sealed record.

        Raises:
            SealTruncated: there are fewer than 40.
            SealFormatUnknown: they are no header of format v1.
        """
        raw = bytes(memoryview(data)[:HEADER_LEN])
        if raw and raw[0] != HEADER_LEN:
            raise SealFormatUnknown
        if len(raw) < HEADER_LEN:
            raise SealTruncated
        return cls(raw[1 : 1 + SALT_LEN], raw[1 + SALT_LEN :])

    def to_bytes(self) -> bytes:
        """Return the 40 bytes that lead the sealed record."""
        return bytes([HEADER_LEN]) + self.salt + self.nonce_prefix


class SegmentCipher:
    """The record's own AES-256-GCM key, derived by HKDF-SHA256 from data key, salt and record id.

    Raises:
        InputInvalid: the data key is not 32 bytes or the record id not 16.
    """

    def __init__(self, data_key: bytes, record_id: bytes, header: Header) -> None:
        require_key_and_id(data_key, record_id)
        self._aead = AESGCM(hkdf_sha256(data_key, header.salt, record_id, DATA_KEY_LEN))
        self._nonce_prefix = header.nonce_prefix
        self._key_proved = False

    def seal(self, index: int, plain: Buffer, *, last: bool) -> bytes:
        """Return one segment's ciphertext and tag."""
        return self._aead.encrypt(self._nonce(index, last=last), plain, None)

    def open(self, index: int, sealed: Buffer, *, last: bool) -> bytes:
        """Return one segment's plaintext.

        Raises:
            SealForeign: no segment has opened so far, so key or record id may be another record's.
            SealTruncated: it is no whole segment, or not the record's last one though it should be.
            SealBroken: altered, or elsewhere in the record.
        """
        # Only a whole record may be empty: a sealer never leaves an empty segment after a full one.
        if memoryview(sealed).nbytes < TAG_LEN + (index > 0):
            raise SealTruncated
        plain = self._decrypt(index, sealed, last=last)
        if plain is None:
            raise self._fault(index, sealed, last=last)
        self._key_proved = True
        return plain

    def _decrypt(self, index: int, sealed: Buffer, *, last: bool) -> bytes | None:
        try:
            return self._aead.decrypt(self._nonce(index, last=last), sealed, None)
        except InvalidTag:
            return None

    def _fault(self, index: int, sealed: Buffer, *, last: bool) -> SealBroken:
        if self._decrypt(index, sealed, last=not last) is not None:
            return SealTruncated() if last else SealBroken()
        return SealBroken() if self._key_proved else SealForeign()

    def _nonce(self, index: int, *, last: bool) -> bytes:
        if index >= MAX_SEGMENTS:
            raise InputTooLarge(limit=FORMAT_V1.max_plain_length)
        return self._nonce_prefix + index.to_bytes(4, "big") + bytes([last])


def hkdf_sha256(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """Return so many bytes derived by HKDF-SHA256 (RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


def require_key_and_id(data_key: bytes, record_id: bytes) -> None:
    """Refuse a data key or record id of the wrong length, before anything is read or written."""
    if len(data_key) != DATA_KEY_LEN:
        raise InputInvalid(f"a data key has {DATA_KEY_LEN} bytes, not {len(data_key)}; use new_data_key()")
    if len(record_id) != RECORD_ID_LEN:
        raise InputInvalid(
            f"a record id has {RECORD_ID_LEN} bytes, not {len(record_id)}; use new_record_id()"
        )
