"""Wraps data keys for their readers: HPKE (RFC 9180) with the hybrid post-quantum KEM MLKEM768-X25519."""

from __future__ import annotations

import functools
import hashlib
import secrets
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from caregrid.errors import InputInvalid, WrongKey
from caregrid.records import ACCOUNT_LEN, RECORD_ID_LEN

PUBLIC_KEY_LEN: Final = 1216
PRIVATE_KEY_LEN: Final = 32
WRAPPED_KEY_LEN: Final = 1168
DATA_KEY_LEN: Final = 32

#: Readers whose public keys stay parsed: parsing takes longer than wrapping, and many records go to the same.
_REMEMBERED: Final = 256
_INFO: Final = b"caregrid/data-key/v1"
_MLKEM_PUBLIC_LEN: Final = 1184
_MLKEM_SEED_LEN: Final = 64
_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class EncryptionKeyPair:
    """The key pair that data keys are wrapped to.

    The private key is the KEM's 32-byte seed, expanded by SHAKE256 as in draft-connolly-cfrg-xwing-kem, so
    any library that knows MLKEM768-X25519 can load it. The public key is ML-KEM's 1,184 bytes, then
    X25519's 32.

    Raises:
        InputInvalid: the seed is not 32 bytes.
    """

    __slots__ = ("_private", "_seed", "public_key")

    def __init__(self, seed: bytes) -> None:
        _require_length("an encryption private key", seed, PRIVATE_KEY_LEN)
        expanded = hashlib.shake_256(seed).digest(_MLKEM_SEED_LEN + 32)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED_LEN])
        x25519 = X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED_LEN:])
        self._seed = bytes(seed)
        self._private = MLKEM768X25519PrivateKey(mlkem, x25519)
        #: 1,216 bytes, the form that is registered on chain
        self.public_key = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> Self:
        """Draw a new key pair."""
        return cls(secrets.token_bytes(PRIVATE_KEY_LEN))

    @classmethod
    def from_private_bytes(cls, data: bytes) -> Self:
        """Restore the pair from what `private_bytes` gave.

        Raises:
            InputInvalid: not 32 bytes.
        """
        return cls(data)

    def private_bytes(self) -> bytes:
        """Return the 32-byte seed; whoever has it opens every key wrapped to this pair."""
        return self._seed

    def decrypt(self, sealed: bytes, info: bytes) -> bytes:
        """Return the plaintext of a single-shot HPKE message to this pair.

        Raises:
            WrongKey: sealed to another key, with other `info`, or altered.
        """
        try:
            return _SUITE.decrypt(sealed, self._private, info)
        except InvalidTag as exc:
            raise WrongKey from exc

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def wrap_data_key(public_key: bytes, data_key: bytes, record_id: bytes, grantee_account: bytes) -> bytes:
    """Return the data key wrapped for one account and one record: 1,168 bytes, different each time.

    Raises:
        InputInvalid: the public key is malformed, or an argument has the wrong length.
    """
    _require_length("a data key", data_key, DATA_KEY_LEN)
    info = _info(record_id, grantee_account)
    try:
        return _SUITE.encrypt(data_key, _parse_public(public_key), info)
    except ValueError as exc:  # an X25519 point of small order, which would make the secret predictable
        raise InputInvalid("the encryption public key is unusable; ask its owner for a new one") from exc


def unwrap_data_key(pair: EncryptionKeyPair, wrapped: bytes, record_id: bytes, account: bytes) -> bytes:
    """Return the 32-byte data key wrapped to `pair`, for `account`, for this record.

    Raises:
        WrongKey: wrapped to another key, for another account or record, or altered.
        InputInvalid: record id or account has the wrong length.
    """
    info = _info(record_id, account)
    if len(wrapped) != WRAPPED_KEY_LEN:
        raise WrongKey
    return pair.decrypt(wrapped, info)


def _info(record_id: bytes, account: bytes) -> bytes:
    _require_length("a record id", record_id, RECORD_ID_LEN)
    _require_length("an account", account, ACCOUNT_LEN)
    return _INFO + record_id + account


@functools.lru_cache(maxsize=_REMEMBERED)
def _parse_public(public_key: bytes) -> MLKEM768X25519PublicKey:
    _require_length("an encryption public key", public_key, PUBLIC_KEY_LEN)
    mlkem = MLKEM768PublicKey.from_public_bytes(public_key[:_MLKEM_PUBLIC_LEN])
    return MLKEM768X25519PublicKey(mlkem, X25519PublicKey.from_public_bytes(public_key[_MLKEM_PUBLIC_LEN:]))


def _require_length(name: str, value: bytes, length: int) -> None:
    if len(value) != length:
        raise InputInvalid(f"{name} has {length} bytes, not {len(value)}; check where it was read from")
