"""The master key rotates while disks fill up, processes are killed and sidecars take records in."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from caregrid.keys import FileKeyStore, KdfCost
from ocw_sidecar.adapters.key_stores import create_key_store
from ocw_sidecar.adapters.sql.rotation import SqlWrappedKeys
from ocw_sidecar.pipeline.rotation import Shelf, is_finished
from ocw_sidecar.settings import Settings
from tests.databases import sqlite_database
from tests.soft_hsm import MODULE, soft_hsm
from tests.vault_server import running_vault
from tests.wrapped_rows import INSERT_KEY, fill, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from caregrid.keys import KeyStore
    from ocw_sidecar.adapters.sql import Session
    from tests.soft_hsm import SoftHsm

HERE = Path(__file__).parent
TIMEOUT_S: Final = 240.0
PASSPHRASE: Final = "canary correct horse"
CHEAP: Final = KdfCost(memory_kib=8, iterations=1, lanes=1)
RECORDS: Final = 1000


@pytest.fixture(scope="module")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsm]:
    """Give a SoftHSM2."""
    yield from soft_hsm(tmp_path_factory.mktemp("hsm"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a home folder with a passphrase."""
    folder = tmp_path / "home"
    folder.mkdir()
    secret_file(folder / "passphrase", PASSPHRASE)
    return folder


def secret_file(path: Path, secret: str) -> Path:
    """Write a file that only its owner reads."""
    path.touch(0o600)
    path.write_text(secret + "\n")
    return path


def configured(home: Path, *key_store: str) -> Path:
    """Write a configuration."""
    path = home.parent / "sidecar.toml"
    lines = [f'home = "{home}"', f'organisation = "0x{"0b" * 32}"', "[key_store]", *key_store]
    path.write_text("\n".join(lines) + "\n")
    return path


def rotation(config: Path, *options: str, crash: str | None = None) -> subprocess.Popen[str]:
    """Start the command."""
    command = [sys.executable, "-m", "ocw_sidecar.cli", "keys", "rotate", "--config", str(config), "--json"]
    environment = os.environ | ({"CAREGRID_CRASH_AT": crash} if crash else {})
    return subprocess.Popen(
        [*command, *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a process; return its exit code and what it told."""
    out, err = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, out, err


def insert(db: Session, row: dict[str, bytes]) -> int:
    """Put a record's key into the database."""
    return db.execute(INSERT_KEY, row).rowcount


async def test_a_killed_rotation_is_gone_on_with(home: Path) -> None:
    """After `kill -9` between two pages all keys open; the next run makes no further version and ends it."""
    store = FileKeyStore.create(home / "keystore.json", PASSPHRASE, cost=CHEAP)
    config = configured(home)
    async with sqlite_database(home) as database:
        filled = await fill(database, store, records=RECORDS)
        code, _, _ = await asyncio.to_thread(ended, rotation(config, crash="REWRAPPED"))
        assert -signal.SIGKILL == code
        assert not await is_finished(SqlWrappedKeys(database), store)
        assert [filled.keys] == await opened(database, [store])
        code, out, _ = await asyncio.to_thread(ended, rotation(config))
        told = json.loads(out)
        assert (0, 2, 0) == (code, told["version"], told["left"])
        assert 0 < told["changed"] < len(filled.keys)
        assert [filled.keys] == await opened(database, [store])
        code, out, _ = await asyncio.to_thread(ended, rotation(config, "--retire-old"))
        assert (0, [1]) == (code, json.loads(out)["retired"])
        again = FileKeyStore.open(home / "keystore.json", PASSPHRASE)
        assert [filled.keys] == await opened(database, [again])


async def test_records_that_come_in_meanwhile_are_wrapped_too(home: Path) -> None:
    """Who had the key store open before goes on wrapping; in the end all is under the new version."""
    store = FileKeyStore.create(home / "keystore.json", PASSPHRASE, cost=CHEAP)
    config = configured(home)
    async with sqlite_database(home) as database:
        filled = await fill(database, store, records=RECORDS)
        process = rotation(config)
        while process.poll() is None:
            key_id, key = secrets.token_bytes(16), secrets.token_bytes(32)
            wrapped = store.wrap(key_id, key)
            await database.write(partial(insert, row={"id": key_id, "wrapped": wrapped}))
            filled.keys[Shelf.RECORDS, key_id] = key
        code, _, err = ended(process)
        assert 0 == code, err
        assert await is_finished(SqlWrappedKeys(database), store)
        assert [filled.keys] == await opened(database, [store])


@pytest.mark.parametrize("kind", ["file", "vault", "pkcs11"])
async def test_no_secret_is_told(home: Path, hsm: SoftHsm, kind: str) -> None:
    """Neither screen, arguments, file names, database rows nor key files hold a secret in the clear."""
    with running_vault(home.parent) as vault:
        canaries = {"passphrase": PASSPHRASE, "token": vault.token}
        if kind == "file":
            config = configured(home)
        elif kind == "vault":
            token = secret_file(home / "token", vault.token)
            lines = [f'vault_url = "{vault.url}"', f'vault_token_file = "{token}"']
            config = configured(home, 'kind = "vault"', *lines)
        else:
            made = hsm.new_token()
            pin = secret_file(home / "pin", made.pin)
            canaries["pin"] = made.pin
            lines = [
                f'pkcs11_module = "{MODULE}"',
                f'pkcs11_token = "{made.label}"',
                f'pkcs11_pin_file = "{pin}"',
            ]
            config = configured(home, 'kind = "pkcs11"', *lines)
        store = await asyncio.to_thread(created, config)
        async with sqlite_database(home) as database:
            filled = await fill(database, store, records=RECORDS)
            process = rotation(config)
            arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            code, out, err = await asyncio.to_thread(ended, process)
            assert 0 == code, err
            assert [filled.keys] == await opened(database, [store])
        store.close()
    told = [arguments, out.encode(), err.encode(), *(path.name.encode() for path in home.rglob("*"))]
    kept = {"passphrase", "token", "pin"}
    told += [path.read_bytes() for path in home.iterdir() if path.is_file() and path.name not in kept]
    keys: list[Any] = [form for key in list(filled.keys.values())[:50] for form in (key, key.hex().encode())]
    for canary in [*(each.encode() for each in canaries.values()), *keys]:
        assert not [place for place in told if canary in place]


def created(config: Path) -> KeyStore:
    """Make the key store that a configuration names."""
    return create_key_store(Settings.load(config), lambda: PASSPHRASE)


def test_no_write_of_a_rotation_is_missed(tmp_path: Path) -> None:
    """Each write, sync and allocation fails once: a typed error, all keys open, and the next run ends it."""
    library, homes = tmp_path / "full_disk.so", tmp_path / "homes"
    homes.mkdir()
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, HERE / "full_disk.c", "-ldl"],
        check=True,
    )
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.rotation_process", homes],
        cwd=HERE.parents[1],
        env=dict(os.environ) | {"LD_PRELOAD": str(library), "FULL_DISK_BELOW": str(homes)},
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert 0 == done.returncode, done.stderr.decode()
    total, failed = map(int, done.stdout.split())
    assert total > failed > 10
