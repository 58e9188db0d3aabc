"""The key store in a file: what it adds to the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from caregrid.errors import KeyStoreLocked
from caregrid.keys import FileKeyStore, KdfCost

if TYPE_CHECKING:
    from pathlib import Path

CHEAP: Final = KdfCost(memory_kib=8, iterations=1, lanes=1)
RECORD: Final = bytes(range(16))
DATA_KEY: Final = bytes(range(32))


def test_wrapped_keys_outlive_the_process(tmp_path: Path) -> None:
    """What one opening wrapped, the next one unwraps."""
    wrapped = FileKeyStore.create(tmp_path / "keys", "correct horse", cost=CHEAP).wrap(RECORD, DATA_KEY)
    assert FileKeyStore.open(tmp_path / "keys", "correct horse").unwrap(RECORD, wrapped) == DATA_KEY


def test_a_wrong_passphrase_locks_the_store(tmp_path: Path) -> None:
    """Without the passphrase there is no store at all."""
    FileKeyStore.create(tmp_path / "keys", "correct horse", cost=CHEAP)
    with pytest.raises(KeyStoreLocked):
        FileKeyStore.open(tmp_path / "keys", "battery staple")


def test_wrapped_keys_lead_with_their_version(tmp_path: Path) -> None:
    """61 bytes, the first of them the version, so that formats can change later."""
    wrapped = FileKeyStore.create(tmp_path / "keys", "correct horse", cost=CHEAP).wrap(RECORD, DATA_KEY)
    assert (len(wrapped), wrapped[0]) == (61, 1)
