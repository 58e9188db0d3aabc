"""Secrets in a file under a passphrase."""

from __future__ import annotations

import errno
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from caregrid.errors import CaregridError, InputInvalid, InputMissing, KeyStoreLocked
from caregrid.keys import FileKeyStore, Identity, KdfCost, passphrase_file

if TYPE_CHECKING:
    from pathlib import Path

CHEAP: Final = KdfCost(memory_kib=8, iterations=1, lanes=1)
SECRET: Final = bytes(range(32))
PASSPHRASE: Final = "correct horse"


def write(path: Path, *, passphrase: str = PASSPHRASE, secret: bytes = SECRET) -> Path:
    """Make a file at little cost."""
    passphrase_file.write_new(path, passphrase, secret, purpose="test", cost=CHEAP)
    return path


def read(path: Path, *, passphrase: str = PASSPHRASE) -> bytes:
    """Read such a file."""
    return passphrase_file.read(path, passphrase, purpose="test")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file with the sample secret."""
    return write(tmp_path / "key")


def changed(path: Path, **fields: Any) -> Path:
    """Change fields of the JSON in place."""
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    return path


def test_the_secret_comes_back(path: Path) -> None:
    """The right passphrase opens the file."""
    assert read(path) == SECRET


def test_the_default_cost_is_the_one_of_rfc_9106(tmp_path: Path) -> None:
    """A file made without further ado uses 64 MiB, 3 passes and 4 lanes, and says so."""
    FileKeyStore.create(tmp_path / "key", PASSPHRASE)
    kdf = json.loads((tmp_path / "key").read_text())["kdf"]
    assert (kdf["name"], kdf["memory_kib"], kdf["iterations"], kdf["lanes"]) == ("argon2id", 65_536, 3, 4)
    assert isinstance(FileKeyStore.open(tmp_path / "key", PASSPHRASE), FileKeyStore)


def test_the_file_is_private_and_holds_no_secret(path: Path) -> None:
    """Only its owner can read the file, and he finds neither secret nor passphrase in it."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert SECRET[:8].hex() not in text
    assert PASSPHRASE not in text


def test_a_wrong_passphrase_is_refused(path: Path) -> None:
    """One letter off does not open the file."""
    with pytest.raises(KeyStoreLocked):
        read(path, passphrase="correct horsf")


def test_accents_may_be_composed_or_not(tmp_path: Path) -> None:
    """The same passphrase typed on another system opens the file."""
    write(tmp_path / "key", passphrase="caf\u00e9 au lait")
    assert read(tmp_path / "key", passphrase="cafe\u0301 au lait") == SECRET


def test_short_passphrases_are_refused(tmp_path: Path) -> None:
    """Seven characters are too few, and nothing is written."""
    with pytest.raises(InputInvalid, match="at least 8"):
        write(tmp_path / "key", passphrase="1234567")
    assert not list(tmp_path.iterdir())


def test_every_flipped_bit_is_refused(path: Path) -> None:
    """No byte of the file can change unnoticed."""
    original = path.read_bytes()
    for position in range(len(original)):
        forged = bytearray(original)
        forged[position] ^= 1
        path.write_bytes(forged)
        with pytest.raises(KeyStoreLocked):
            read(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(), st.text().map(str.encode)))
@example(content=b"[" * 16_000)
@example(content=b"{}")
@example(content=b"[1]")
def test_arbitrary_files_are_refused(path: Path, content: bytes) -> None:
    """What is not a key file is told as such, whatever it holds."""
    path.write_bytes(content)
    with pytest.raises(KeyStoreLocked):
        read(path)


@pytest.mark.parametrize(
    "fields",
    [
        {"version": 2},
        {"cipher": "rot13"},
        {"purpose": "other"},
        {"extra": True},
        {"kdf": None},
        {"kdf": {"name": "scrypt"}},
        {"kdf": {"name": "argon2id", "salt": "00" * 16, "lanes": 1, "iterations": 1, "memory_kib": 1 << 40}},
        {"kdf": {"name": "argon2id", "salt": "00" * 16, "lanes": 1, "iterations": 10**9, "memory_kib": 8}},
        {"kdf": {"name": "argon2id", "salt": "00", "lanes": 1, "iterations": 1, "memory_kib": 8}},
        {"kdf": {"name": "argon2id", "salt": "00" * 16, "lanes": "1", "iterations": 1, "memory_kib": 8}},
        {"nonce": "00"},
        {"nonce": 0},
        {"ciphertext": "zz"},
        {"ciphertext": ""},
    ],
    ids=str,
)
def test_forged_fields_are_refused(path: Path, fields: dict[str, Any]) -> None:
    """Unknown, missing, mistyped or ruinous parameters are refused, before any are used."""
    with pytest.raises(KeyStoreLocked):
        read(changed(path, **fields))


@pytest.mark.parametrize(("name", "value"), [("_VERSION", 2), ("_CIPHER", "aes-256-siv"), ("_KDF", "scrypt")])
def test_files_of_a_later_format_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    """A file that some later version wrote, sound in itself, is not read as if it were ours."""
    with monkeypatch.context() as later:
        later.setattr(passphrase_file, name, value)
        write(tmp_path / "key")
        assert read(tmp_path / "key") == SECRET
    with pytest.raises(KeyStoreLocked):
        read(tmp_path / "key")


@pytest.mark.parametrize("field", ["version", "purpose", "kdf", "cipher", "nonce", "ciphertext"])
def test_missing_fields_are_refused(path: Path, field: str) -> None:
    """A file without one of its fields does not open."""
    content = json.loads(path.read_text())
    del content[field]
    path.write_text(json.dumps(content))
    with pytest.raises(KeyStoreLocked):
        read(path)


def test_files_of_another_purpose_are_refused(tmp_path: Path) -> None:
    """An identity is not a key store, nor the other way round, whatever the passphrase."""
    Identity.generate().save(tmp_path / "identity", PASSPHRASE, cost=CHEAP)
    FileKeyStore.create(tmp_path / "store", PASSPHRASE, cost=CHEAP)
    with pytest.raises(KeyStoreLocked, match="something else"):
        FileKeyStore.open(tmp_path / "identity", PASSPHRASE)
    with pytest.raises(KeyStoreLocked, match="something else"):
        Identity.load(tmp_path / "store", PASSPHRASE)


def test_an_existing_file_is_never_replaced(path: Path) -> None:
    """A second create is refused and leaves the first secret as it was."""
    with pytest.raises(InputInvalid, match="already"):
        write(path, secret=bytes(32))
    assert read(path) == SECRET
    assert [path] == list(path.parent.iterdir())


def test_of_many_creators_one_wins(tmp_path: Path) -> None:
    """Processes started at once do not overwrite each other's master key."""

    def create(number: int) -> bytes | None:
        try:
            write(tmp_path / "key", secret=bytes([number] * 32))
        except InputInvalid:
            return None
        return bytes([number] * 32)

    with ThreadPoolExecutor(8) as pool:
        winners = [secret for secret in pool.map(create, range(8)) if secret]
    assert [read(tmp_path / "key")] == winners


def test_a_failing_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the content cannot be made durable, no file appears under the name."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputInvalid, match="No space left"):
        write(tmp_path / "key")
    assert not list(tmp_path.iterdir())


def test_paths_that_do_not_work_are_told(tmp_path: Path) -> None:
    """A missing file, a missing folder and a folder for a file each get their own error."""
    with pytest.raises(InputMissing):
        read(tmp_path / "absent")
    with pytest.raises(KeyStoreLocked):
        read(tmp_path)
    with pytest.raises(InputInvalid, match="another folder"):
        write(tmp_path / "absent" / "key")


@pytest.mark.parametrize(
    "cost", [{"lanes": 0}, {"iterations": 17}, {"memory_kib": 31}, {"memory_kib": 1 << 22}]
)
def test_costs_have_bounds(cost: dict[str, int]) -> None:
    """A cost that Argon2 does not know, or that would lock its owner out, is refused."""
    with pytest.raises(InputInvalid, match="whole number"):
        KdfCost(**cost)


def test_errors_do_not_tell_the_passphrase(path: Path) -> None:
    """Neither message nor facts of a refusal hold the passphrase."""
    with pytest.raises(CaregridError) as caught:
        read(path, passphrase="wrong battery")
    assert "battery" not in f"{caught.value} {caught.value.facts()}"
