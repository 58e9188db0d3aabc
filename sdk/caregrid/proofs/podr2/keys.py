"""Keys: the owner's, and what of it is public."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Final, Self

from caregrid_native import PrivateAuditor, PublicTagger, PublicVerifier

from caregrid.errors import InputInvalid
from caregrid.proofs.podr2.scheme import Scheme, refusing

SEED_LEN: Final = 32

_KINDS: Final = {Scheme.PUBLIC: 0x10, Scheme.PRIVATE: 0x20}


class PublicKey:
    """Verifies proofs of the public scheme. Threads may share it.

    Claims of one owner are verified faster together when they share this object.
    """

    __slots__ = ("digest", "encoded", "native")

    def __init__(self, encoded: bytes) -> None:
        """Read a public key and check each of its points, which takes some milliseconds.

        Raises:
            InputInvalid: it is none.
        """
        with refusing():
            self.native: Final = PublicVerifier(encoded)
        self.encoded: Final = encoded
        self.digest: Final = sha256(encoded).digest()  #: what stands for the key where 12 kB do not fit

    def __repr__(self) -> str:
        return f"PublicKey({self.digest.hex()})"


class SecretKey:
    """The owner's key of one scheme. Threads may share it. It never shows its seed."""

    __slots__ = ("_seed", "native", "scheme")

    def __init__(self, scheme: Scheme, seed: bytes) -> None:
        """Derive the key.

        Raises:
            InputInvalid: the seed is not 32 bytes, or zero.
        """
        with refusing():
            self.native: Final = PublicTagger(seed) if scheme is Scheme.PUBLIC else PrivateAuditor(seed)
        self.scheme: Final = scheme
        self._seed: Final = seed

    def __repr__(self) -> str:
        return f"SecretKey({self.scheme.value})"

    def public_key(self) -> PublicKey:
        """Return what others verify with.

        Raises:
            InputInvalid: the scheme is private.
        """
        if not isinstance(self.native, PublicTagger):
            raise InputInvalid(
                "a key of the private scheme has no public part; make one of the public scheme"
            )
        return PublicKey(self.native.public_key())

    def encode(self) -> bytes:
        """Return the key for a key store: kind and seed."""
        return bytes([_KINDS[self.scheme]]) + self._seed

    @classmethod
    def decode(cls, encoded: bytes) -> Self:
        """Return the key of `encode`.

        Raises:
            InputInvalid: it is none.
        """
        for scheme, kind in _KINDS.items():
            if encoded[:1] == bytes([kind]):
                return cls(scheme, encoded[1:])
        raise InputInvalid("this is no secret key of PoDR²; pass what `encode` returned")


def keygen(scheme: Scheme | str, seed: bytes | None = None) -> SecretKey:
    """Make a key; without a seed, of 32 random bytes.

    Raises:
        InputInvalid: there is no such scheme, or the seed is not 32 bytes or zero.
    """
    try:
        chosen = Scheme(scheme)
    except ValueError as exc:
        raise InputInvalid('the schemes are "public" and "private"') from exc
    return SecretKey(chosen, secrets.token_bytes(SEED_LEN) if seed is None else seed)
