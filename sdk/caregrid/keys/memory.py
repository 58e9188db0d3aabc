"""A key store for tests and demonstrations: its master key is gone when the process ends."""

from __future__ import annotations

import secrets

from caregrid.keys.master_key import MASTER_KEY_LEN, MasterKeyStore


class MemoryKeyStore(MasterKeyStore):
    """Holds a master key drawn at construction, in memory only."""

    def __init__(self) -> None:
        super().__init__(secrets.token_bytes(MASTER_KEY_LEN))
