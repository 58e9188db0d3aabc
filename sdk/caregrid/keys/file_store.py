"""The default key store: a master key in a local file, sealed under a passphrase."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Self

from caregrid.keys import passphrase_file
from caregrid.keys.master_key import MASTER_KEY_LEN, MasterKeyStore

if TYPE_CHECKING:
    from pathlib import Path

_PURPOSE: Final = "custodian-key"


class FileKeyStore(MasterKeyStore):
    """Holds a random 256-bit master key; make one with `create`, later `open` it."""

    @classmethod
    def create(
        cls, path: Path, passphrase: str, *, cost: passphrase_file.KdfCost = passphrase_file.DEFAULT_COST
    ) -> Self:
        """Draw a master key and seal it into a new file, mode 0600; takes about 0.1 s by design.

        Without the file, or its passphrase, every key wrapped here is lost: back both up.

        Raises:
            InputInvalid: the file exists already, its folder does not, or the passphrase is too short.
        """
        master_key = secrets.token_bytes(MASTER_KEY_LEN)
        passphrase_file.write_new(path, passphrase, master_key, purpose=_PURPOSE, cost=cost)
        return cls(master_key)

    @classmethod
    def open(cls, path: Path, passphrase: str) -> Self:
        """Open an existing file; takes about 0.1 s by design.

        Raises:
            KeyStoreLocked: the passphrase is wrong, or the file damaged or not a key store.
            InputMissing: there is no such file.
        """
        return cls(passphrase_file.read(path, passphrase, purpose=_PURPOSE))
