"""A key store for tests and demonstrations: its master key is gone when the process ends."""

from __future__ import annotations

from datetime import UTC, datetime

from caregrid.keys.keyring import Keyring
from caregrid.keys.master_key import MasterKeyStore


class MemoryKeyStore(MasterKeyStore):
    """Holds a master key drawn at construction, in memory only."""

    def __init__(self) -> None:
        super().__init__(Keyring.new(datetime.now(UTC)))

    def rotate(self) -> int:
        """Draw a new version; see `KeyStore.rotate`."""
        self._take(self._held.ring.grown(datetime.now(UTC)))
        return self._held.ring.newest

    def retire(self, version: int) -> None:
        """Forget versions; see `KeyStore.retire`."""
        self._take(self._held.ring.without(version))
