"""The key store in a file: what it adds to the contract."""

from __future__ import annotations

import errno
import os
import stat
import threading
from typing import TYPE_CHECKING, Final

import pytest

from caregrid.errors import DiskLow, InputInvalid, KeyStoreLocked, KeyVersionUnknown
from caregrid.keys import FileKeyStore, KdfCost, passphrase_file
from caregrid.keys.keyring import MAX_VERSIONS

if TYPE_CHECKING:
    from pathlib import Path

CHEAP: Final = KdfCost(memory_kib=8, iterations=1, lanes=1)
PASSPHRASE: Final = "correct horse"
RECORD: Final = bytes(range(16))
DATA_KEY: Final = bytes(range(32))


def create(path: Path) -> FileKeyStore:
    """Make a store at little cost."""
    return FileKeyStore.create(path, PASSPHRASE, cost=CHEAP)


def test_wrapped_keys_outlive_the_process(tmp_path: Path) -> None:
    """What one opening wrapped, the next one unwraps, of every version."""
    store = create(tmp_path / "keys")
    first = store.wrap(RECORD, DATA_KEY)
    store.rotate()
    second = store.wrap(RECORD, DATA_KEY)
    again = FileKeyStore.open(tmp_path / "keys", PASSPHRASE)
    assert [DATA_KEY] * 2 == [again.unwrap(RECORD, each) for each in (first, second)]
    assert list(store.versions()) == list(again.versions())


def test_a_wrong_passphrase_locks_the_store(tmp_path: Path) -> None:
    """Without the passphrase there is no store at all."""
    create(tmp_path / "keys")
    with pytest.raises(KeyStoreLocked):
        FileKeyStore.open(tmp_path / "keys", "battery staple")


def test_wrapped_keys_lead_with_their_version(tmp_path: Path) -> None:
    """61 bytes under version 1, and four more under a later one."""
    store = create(tmp_path / "keys")
    wrapped = store.wrap(RECORD, DATA_KEY)
    assert (61, 1) == (len(wrapped), wrapped[0])
    store.rotate()
    wrapped = store.wrap(RECORD, DATA_KEY)
    assert (65, b"\x02\0\0\0\x02") == (len(wrapped), wrapped[:5])


def test_files_with_one_bare_key_are_version_1(tmp_path: Path) -> None:
    """A store from before there were versions opens, unwraps and rotates."""
    path, master_key = tmp_path / "keys", bytes(range(100, 132))
    passphrase_file.write_new(path, PASSPHRASE, master_key, purpose="custodian-key", cost=CHEAP)
    store = FileKeyStore.open(path, PASSPHRASE)
    (only,) = store.versions()
    assert (1, None) == (only.number, only.created_at)
    wrapped = store.wrap(RECORD, DATA_KEY)
    assert 2 == store.rotate()
    again = FileKeyStore.open(path, PASSPHRASE)
    assert DATA_KEY == again.unwrap(RECORD, wrapped)
    assert [True, False] == [each.created_at is None for each in again.versions()]


@pytest.mark.parametrize(
    "secret", [b"", bytes(31), bytes(44), b"\0\0\0\x01" + b"\xff" * 40, bytes(45)], ids=len
)
def test_contents_that_are_no_key_ring_lock_the_store(tmp_path: Path, secret: bytes) -> None:
    """A sound file with something else in it is refused."""
    passphrase_file.write_new(tmp_path / "keys", PASSPHRASE, secret, purpose="custodian-key", cost=CHEAP)
    with pytest.raises(KeyStoreLocked):
        FileKeyStore.open(tmp_path / "keys", PASSPHRASE)


def test_a_rotated_file_stays_private(tmp_path: Path) -> None:
    """Its mode is 0600, and nothing else is left in the folder."""
    create(tmp_path / "keys").rotate()
    assert 0o600 == stat.S_IMODE((tmp_path / "keys").stat().st_mode)
    assert [tmp_path / "keys"] == list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_files_that_others_may_read_are_refused(tmp_path: Path, mode: int) -> None:
    """The message says how to close it again."""
    create(tmp_path / "keys")
    (tmp_path / "keys").chmod(mode)
    with pytest.raises(KeyStoreLocked, match="chmod 600"):
        FileKeyStore.open(tmp_path / "keys", PASSPHRASE)


def test_a_full_disk_leaves_the_old_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotation that does not fit changes nothing, in memory or on disk, and can be done later."""
    store = create(tmp_path / "keys")
    wrapped, before = store.wrap(RECORD, DATA_KEY), (tmp_path / "keys").read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(DiskLow):
            store.rotate()
    assert before == (tmp_path / "keys").read_bytes()
    assert [tmp_path / "keys"] == list(tmp_path.iterdir())
    assert ([1], DATA_KEY) == ([each.number for each in store.versions()], store.unwrap(RECORD, wrapped))
    assert 2 == store.rotate()


def test_a_disk_that_fails_otherwise_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Say one that was mounted read-only."""
    store = create(tmp_path / "keys")

    def read_only(*_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "fsync", read_only)
    with pytest.raises(InputInvalid, match="Read-only"):
        store.rotate()


def test_rotations_at_once_lose_no_version(tmp_path: Path) -> None:
    """Each of many openings that rotate at the same time makes a version of its own; all keep all."""
    create(tmp_path / "keys")
    stores = [FileKeyStore.open(tmp_path / "keys", PASSPHRASE) for _ in range(4)]
    made: list[int] = []
    threads = [threading.Thread(target=lambda each=each: made.append(each.rotate())) for each in stores]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert [2, 3, 4, 5] == sorted(made)
    assert [[1, 2, 3, 4, 5]] * 4 == [[one.number for one in each.versions()] for each in stores]


def test_a_file_that_is_gone_wraps_nothing_more(tmp_path: Path) -> None:
    """A key that is nowhere else would be lost with the process; what was wrapped still opens."""
    store = create(tmp_path / "keys")
    wrapped = store.wrap(RECORD, DATA_KEY)
    (tmp_path / "keys").rename(tmp_path / "elsewhere")
    with pytest.raises(KeyStoreLocked, match="put it back"):
        store.wrap(RECORD, DATA_KEY)
    assert DATA_KEY == store.unwrap(RECORD, wrapped)
    (tmp_path / "elsewhere").rename(tmp_path / "keys")
    assert DATA_KEY == store.unwrap(RECORD, store.wrap(RECORD, DATA_KEY))


def test_a_changed_passphrase_asks_for_a_restart(tmp_path: Path) -> None:
    """A process that knows the old one does not go on with keys of yesterday."""
    store = create(tmp_path / "keys")
    (tmp_path / "keys").rename(tmp_path / "old")
    FileKeyStore.create(tmp_path / "keys", "battery staple", cost=CHEAP)
    with pytest.raises(KeyStoreLocked, match="another passphrase"):
        store.wrap(RECORD, DATA_KEY)


def test_there_is_an_end_to_versions(tmp_path: Path) -> None:
    """The file is bounded; retiring makes room."""
    store = create(tmp_path / "keys")
    for _ in range(MAX_VERSIONS - 1):
        store.rotate()
    with pytest.raises(InputInvalid, match="retire"):
        store.rotate()
    assert (tmp_path / "keys").stat().st_size < passphrase_file.MAX_FILE_BYTES
    FileKeyStore.open(tmp_path / "keys", PASSPHRASE).retire(60)
    assert MAX_VERSIONS + 1 == store.rotate()


def test_retired_keys_are_gone_from_the_file(tmp_path: Path) -> None:
    """Another opening has not got them either, and the number is not used again."""
    store = create(tmp_path / "keys")
    wrapped = store.wrap(RECORD, DATA_KEY)
    store.rotate()
    store.retire(1)
    with pytest.raises(KeyVersionUnknown):
        FileKeyStore.open(tmp_path / "keys", PASSPHRASE).unwrap(RECORD, wrapped)
