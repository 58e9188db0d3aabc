"""One account's keys: sr25519 to sign with, MLKEM768-X25519 to receive data keys with."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final, Self

import sr25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from caregrid.errors import InputInvalid, KeyStoreLocked
from caregrid.keys import passphrase_file
from caregrid.keys.hpke import PRIVATE_KEY_LEN, EncryptionKeyPair

if TYPE_CHECKING:
    from pathlib import Path

SEED_LEN: Final = 32
SIGNATURE_LEN: Final = 64

_SIGNING_KEY_LEN: Final = 64
_PURPOSE: Final = "identity"
_DERIVED: Final = b"caregrid/identity/"
_DEVELOPMENT_URI: Final = re.compile(r"(//?[^/]+)+")


class Identity:
    """The keys of one person, or of one operator of an organisation.

    The two keys are drawn independently: losing or rotating the encryption key leaves the account as it is.
    Make one with `generate`, `from_seed` or `load`.
    """

    __slots__ = ("_signing_key", "account", "encryption")

    def __init__(self, signing_key: bytes, encryption: EncryptionKeyPair) -> None:
        self._signing_key = signing_key  # sr25519's expanded form, 64 bytes
        #: 32-byte public key, which is the account id on chain
        self.account: bytes = sr25519.public_from_secret_key(signing_key)
        self.encryption = encryption

    @classmethod
    def generate(cls) -> Self:
        """Draw both keys anew."""
        return cls.from_seed(secrets.token_bytes(SEED_LEN))

    @classmethod
    def from_seed(cls, seed: bytes, *, encryption: EncryptionKeyPair | None = None) -> Self:
        """Take the account of a 32-byte sr25519 seed; draw an encryption key pair unless one is given.

        Raises:
            InputInvalid: the seed is not 32 bytes.
        """
        if len(seed) != SEED_LEN:
            raise InputInvalid(f"an sr25519 seed has {SEED_LEN} bytes, not {len(seed)}; pass the raw seed")
        _, signing_key = sr25519.pair_from_seed(seed)
        return cls(signing_key, encryption or EncryptionKeyPair.generate())

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """Take a development account such as `//Alice`, with a fresh encryption key pair.

        These keys are public knowledge: use them on a development chain only.

        Raises:
            InputInvalid: not a development URI.
        """
        from substrateinterface import Keypair  # noqa: PLC0415 - takes a second, only development needs it

        if not _DEVELOPMENT_URI.fullmatch(uri):
            raise InputInvalid("a development account is written like //Alice; load other keys from a file")
        return cls(Keypair.create_from_uri(uri).private_key, EncryptionKeyPair.generate())

    @classmethod
    def load(cls, path: Path, passphrase: str) -> Self:
        """Open a file that `save` wrote; takes about 0.1 s by design.

        Raises:
            KeyStoreLocked: the passphrase is wrong, or the file damaged or not an identity.
            InputMissing: there is no such file.
        """
        secret = passphrase_file.read(path, passphrase, purpose=_PURPOSE)
        if len(secret) != _SIGNING_KEY_LEN + PRIVATE_KEY_LEN:
            raise KeyStoreLocked
        return cls(secret[:_SIGNING_KEY_LEN], EncryptionKeyPair(secret[_SIGNING_KEY_LEN:]))

    def save(
        self,
        path: Path,
        passphrase: str,
        *,
        cost: passphrase_file.KdfCost = passphrase_file.DEFAULT_COST,
    ) -> None:
        """Seal both keys into a new file, mode 0600; takes about 0.1 s by design.

        Raises:
            InputInvalid: the file exists already, its folder does not, or the passphrase is too short.
        """
        secret = self._signing_key + self.encryption.private_bytes()
        passphrase_file.write_new(path, passphrase, secret, purpose=_PURPOSE, cost=cost)

    def derive(self, purpose: bytes) -> bytes:
        """Return a secret of 32 bytes for a purpose, the same each time (HKDF-SHA256, RFC 5869)."""
        return HKDF(SHA256(), 32, salt=None, info=_DERIVED + purpose).derive(self._signing_key)

    def sign(self, message: bytes) -> bytes:
        """Return a 64-byte sr25519 signature, different each time."""
        signature: bytes = sr25519.sign((self.account, self._signing_key), message)
        return signature

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def verify_signature(account: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether `account` signed the message; a malformed signature or account is a plain no."""
    try:
        return bool(sr25519.verify(signature, message, account))
    except ValueError:
        return False
