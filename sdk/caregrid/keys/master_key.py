"""Wraps data keys under a master key held in memory; where that key rests is for subclasses to say."""

from __future__ import annotations

import secrets
from typing import ClassVar, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from caregrid.errors import InputInvalid, WrongKey
from caregrid.keys.port import KeyStore
from caregrid.records import RECORD_ID_LEN

MASTER_KEY_LEN: Final = 32

_DATA_KEY_LEN: Final = 32
_NONCE_LEN: Final = 12
_TAG_LEN: Final = 16
_CONTEXT: Final = b"caregrid/custodian-key/v1"
_VERSION: Final = b"\x01"
_WRAPPED_LEN: Final = len(_VERSION) + _NONCE_LEN + _DATA_KEY_LEN + _TAG_LEN


class MasterKeyStore(KeyStore):
    """AES-256-GCM with random nonces; a wrapped key is version || nonce || ciphertext || tag, 61 bytes.

    Random 96-bit nonces allow 2^32 wraps under one master key (NIST SP 800-38D, 8.3).
    """

    blocks: ClassVar[bool] = False  #: one block of AES takes microseconds

    def __init__(self, master_key: bytes) -> None:
        self._aead = AESGCM(master_key)

    def wrap(self, record_id: bytes, data_key: bytes) -> bytes:
        """Return the 32-byte data key wrapped, bound to its record id: 61 bytes, different each time.

        Raises:
            InputInvalid: data key or record id has the wrong length.
        """
        if len(data_key) != _DATA_KEY_LEN:
            raise InputInvalid(f"a data key has {_DATA_KEY_LEN} bytes, not {len(data_key)}")
        nonce = secrets.token_bytes(_NONCE_LEN)
        return _VERSION + nonce + self._aead.encrypt(nonce, data_key, _context(record_id))

    def unwrap(self, record_id: bytes, wrapped: bytes) -> bytes:
        """Return the data key.

        Raises:
            WrongKey: wrapped by another master key, for another record, or altered.
            InputInvalid: the record id has the wrong length.
        """
        context = _context(record_id)
        if len(wrapped) != _WRAPPED_LEN or wrapped[:1] != _VERSION:
            raise WrongKey
        try:
            return self._aead.decrypt(wrapped[1 : 1 + _NONCE_LEN], wrapped[1 + _NONCE_LEN :], context)
        except InvalidTag as exc:
            raise WrongKey from exc

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def _context(record_id: bytes) -> bytes:
    if len(record_id) != RECORD_ID_LEN:
        raise InputInvalid(f"a record id has {RECORD_ID_LEN} bytes, not {len(record_id)}")
    return _CONTEXT + record_id
