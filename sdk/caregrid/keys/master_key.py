"""Wraps data keys under a master key held in memory; where that key rests is for subclasses to say."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, ClassVar, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from caregrid.errors import KeyVersionUnknown, WrongKey
from caregrid.keys.envelope import DATA_KEY_LEN, context, header, require_data_key, split
from caregrid.keys.port import KeyStore, KeyVersion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.keys.keyring import Keyring

NONCE_LEN: Final = 12
BODY_LEN: Final = NONCE_LEN + DATA_KEY_LEN + 16


class MasterKeyStore(KeyStore):
    """AES-256-GCM with random nonces; a wrapped key is header || nonce || ciphertext || tag.

    That makes 61 bytes under version 1, else 65. Random 96-bit nonces allow 2^32 wraps under one version
    (NIST SP 800-38D, 8.3).
    """

    blocks: ClassVar[bool] = False  #: one block of AES takes microseconds

    def __init__(self, ring: Keyring) -> None:
        self._held = _Held(ring)

    def wrap(self, record_id: bytes, data_key: bytes) -> bytes:
        """Return the data key wrapped, different each time; see `KeyStore.wrap`."""
        require_data_key(data_key)
        bound, held = context(record_id), self._latest()
        nonce = secrets.token_bytes(NONCE_LEN)
        newest = held.ring.newest
        return header(newest) + nonce + held.ciphers[newest].encrypt(nonce, data_key, bound)

    def unwrap(self, record_id: bytes, wrapped: bytes) -> bytes:
        """Return the data key; see `KeyStore.unwrap`."""
        bound, (version, body) = context(record_id), split(wrapped)
        if len(body) != BODY_LEN:
            raise WrongKey
        cipher = self._held.ciphers.get(version) or self._latest().ciphers.get(version)
        if cipher is None:
            raise KeyVersionUnknown
        try:
            return cipher.decrypt(body[:NONCE_LEN], body[NONCE_LEN:], bound)
        except InvalidTag as exc:
            raise WrongKey from exc

    def versions(self) -> Sequence[KeyVersion]:
        """Return what may be told of the versions; see `KeyStore.versions`."""
        return [each.version for each in self._latest().ring.keys]

    def _take(self, ring: Keyring) -> None:
        self._held = _Held(ring)

    def _latest(self) -> _Held:
        # Where others may change the key ring, this looks whether they did.
        return self._held


class _Held:
    # Replaced as a whole: threads that are at work go on with what they began with.
    __slots__ = ("ciphers", "ring")

    def __init__(self, ring: Keyring) -> None:
        self.ring = ring
        self.ciphers = {each.number: AESGCM(each.secret) for each in ring.keys}
