"""`caregrid keys`: making keys, looking at them, and rotating the master key."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import select
import subprocess
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from typer.testing import CliRunner

from caregrid.errors import ConfigInvalid, InputInvalid, KeyStoreLocked
from caregrid.keys import FileKeyStore, Identity, KdfCost, decode_account
from ocw_sidecar.adapters.home import locked
from ocw_sidecar.cli import keys_doctor, keys_rotate
from ocw_sidecar.cli.commands import app
from ocw_sidecar.settings import Settings
from tests.databases import sqlite_database
from tests.wrapped_rows import fill, opened, wrapped_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PASSPHRASE: Final = "canary correct horse"
ORGANISATION: Final = "0x" + "0b" * 32
CHEAP: Final = KdfCost(memory_kib=8, iterations=1, lanes=1)
#: A new identity costs 64 MiB and a tenth of a second of Argon2id, on a busy machine more.
TERMINAL_TIMEOUT_S: Final = 60.0


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    """Give a passphrase file."""
    path = tmp_path / "passphrase"
    path.touch(0o600)
    path.write_text(PASSPHRASE + "\n")
    return path


@pytest.fixture
def config(tmp_path: Path, passphrase: Path) -> Path:
    """Give a sidecar's configuration; its keys are still to be made."""
    path = tmp_path / "sidecar.toml"
    path.write_text(
        f'home = "{passphrase.parent}"\norganisation = "{ORGANISATION}"\nchain_urls = ["ws://127.0.0.1:1"]\n'
    )
    return path


@pytest.fixture
def store(config: Path) -> FileKeyStore:
    """Give the sidecar's key store."""
    return FileKeyStore.create(Settings.load(config).key_store_path, PASSPHRASE, cost=CHEAP)


def run(*arguments: str | Path) -> Any:
    """Run a command and return its JSON line."""
    words = [*map(str, arguments), "--json"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert (0, False) == (result.exit_code, PASSPHRASE in result.output)
    return json.loads(result.stdout)


def rotate(config: Path, **options: bool) -> Any:
    """Rotate by the configuration."""
    chosen = {"new_version": False, "retire_old": False, **options}
    work = keys_rotate.carry_out(Settings.load(config), progress=lambda *_: None, **chosen)
    return asyncio.run(work)


def at_a_terminal(arguments: Sequence[str], typed: Sequence[tuple[str, str]]) -> tuple[int, str]:
    """Run the program on a terminal, typing after each prompt; return its exit code and the screen."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ocw_sidecar.cli", *arguments]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    screen, answers = b"", list(typed)
    deadline = time.monotonic() + TERMINAL_TIMEOUT_S
    seen = 0
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 0.1)[0]:
            continue
        try:
            part = os.read(ours, 4096)
        except OSError:
            break
        if not part:
            break
        screen += part
        if answers and answers[0][0].encode() in screen[seen:]:
            seen = len(screen)
            os.write(ours, answers.pop(0)[1].encode() + b"\n")
    os.close(ours)
    return process.wait(TERMINAL_TIMEOUT_S), screen.decode()


def test_an_identity_is_made_and_shown(tmp_path: Path, passphrase: Path) -> None:
    """Its account and public key are told, its secrets never."""
    file = tmp_path / "anna.json"
    made = run("keys", "create", "identity", file, "--passphrase-file", passphrase)
    identity = Identity.load(file, PASSPHRASE)
    assert identity.account == decode_account(made["account"])
    shown = run("keys", "export-public", file, "--passphrase-file", passphrase)
    assert (made["account"], identity.encryption.public_key.hex()) == (
        shown["account"],
        shown["encryption_key"],
    )
    brief = run("keys", "show", file, "--passphrase-file", passphrase)
    assert made["account"] == brief["account"]
    secret = identity.encryption.private_bytes().hex()
    assert secret not in json.dumps([made, shown, brief])


def test_nothing_is_written_over(tmp_path: Path, passphrase: Path, config: Path, store: FileKeyStore) -> None:
    """Neither an identity nor a key store that exists is made anew."""
    run("keys", "create", "identity", tmp_path / "a", "--passphrase-file", passphrase)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputInvalid, match="already"):
        run("keys", "create", "identity", tmp_path / "a", "--passphrase-file", passphrase)
    with pytest.raises(InputInvalid, match="already"):
        run("keys", "create", "key-store", "--config", config, "--passphrase-file", passphrase)
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert store


def test_a_key_store_is_made_and_shown(config: Path, passphrase: Path) -> None:
    """Its versions are told, and when each was made."""
    made = run("keys", "create", "key-store", "--config", config, "--passphrase-file", passphrase)
    assert {"kind": "file", "version": 1} == made
    FileKeyStore.open(Settings.load(config).key_store_path, PASSPHRASE).rotate()
    file = Settings.load(config).key_store_path
    places: list[list[str | Path]] = [["--config", config], [file, "--passphrase-file", passphrase]]
    for where in places:
        shown = run("keys", "show", *where)
        assert (2, [1, 2]) == (shown["version"], [each["version"] for each in shown["versions"]])


def test_key_files_are_listed_without_a_passphrase(tmp_path: Path, store: FileKeyStore) -> None:
    """With what each is and who may read it; other files are left out."""
    Identity.generate().save(tmp_path / "open.json", PASSPHRASE, cost=CHEAP)
    (tmp_path / "open.json").chmod(0o644)
    (tmp_path / "other.json").write_text('{"purpose": 7}')
    (tmp_path / "huge").write_bytes(bytes(20_000))
    listed = run("keys", "list", tmp_path)["keys"]
    assert [
        {"file": "keystore.json", "kind": "key store", "mode": "0600", "private": True},
        {"file": "open.json", "kind": "identity", "mode": "0644", "private": False},
    ] == listed
    assert store


def test_a_passphrase_is_typed_twice_and_never_shown(tmp_path: Path) -> None:
    """On a terminal nothing that is typed appears; two that differ are asked for again."""
    file = tmp_path / "anna.json"
    prompts = [("New passphrase", "canary one"), ("same again", "canary two")]
    prompts += [("New passphrase", PASSPHRASE), ("same again", PASSPHRASE)]
    code, screen = at_a_terminal(["keys", "create", "identity", str(file)], prompts)
    assert 0 == code, screen
    assert "differ" in screen
    assert "canary" not in screen
    assert Identity.load(file, PASSPHRASE)
    code, screen = at_a_terminal(["keys", "show", str(file)], [("Passphrase", PASSPHRASE)])
    assert (0, False, True) == (code, "canary" in screen, "account" in screen)


def test_without_a_terminal_nothing_is_asked(tmp_path: Path) -> None:
    """A script is told of --passphrase-file, since what it pipes in could be seen."""
    command = [sys.executable, "-m", "ocw_sidecar.cli", "keys", "create", "identity", str(tmp_path / "a")]
    done = subprocess.run(
        command,
        input=f"{PASSPHRASE}\n{PASSPHRASE}\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (InputInvalid.exit_code, False) == (done.returncode, (tmp_path / "a").exists())
    assert "--passphrase-file" in done.stderr


def test_passphrase_files_are_for_their_owner(tmp_path: Path, passphrase: Path) -> None:
    """One that others read is refused."""
    passphrase.chmod(0o644)
    words = ["keys", "create", "identity", str(tmp_path / "a"), "--passphrase-file", str(passphrase)]
    with pytest.raises(KeyStoreLocked, match="chmod 600"):
        app(words, standalone_mode=False)


def test_a_rotation_wraps_everything_anew(config: Path, store: FileKeyStore) -> None:
    """By the command; a second one makes a third version, since nothing is left to do."""

    async def filled() -> Any:
        async with sqlite_database(config.parent) as database:
            return await fill(database, store, records=300)

    async def found() -> Any:
        async with sqlite_database(config.parent) as database:
            rows = await wrapped_rows(database)
            return {store.version_of(each) for each in rows.values()}, await opened(database, [store])

    put = asyncio.run(filled())
    told = run("keys", "rotate", "--config", config)
    assert {"version": 2, "changed": 306, "left": 0, "retired": []} == told
    assert ({2}, [put.keys]) == asyncio.run(found())
    assert 3 == run("keys", "rotate", "--config", config)["version"]


def test_what_was_begun_is_gone_on_with(config: Path, store: FileKeyStore) -> None:
    """While keys are left under an older version no new one is made, unless that is asked for."""

    async def filled() -> None:
        async with sqlite_database(config.parent) as database:
            await fill(database, store, records=3)

    asyncio.run(filled())
    store.rotate()
    assert {"version": 2, "changed": 9, "left": 0, "retired": []} == rotate(config)
    store.rotate()
    assert 4 == rotate(config, new_version=True)["version"]


def test_old_versions_are_retired_when_nothing_needs_them(config: Path, store: FileKeyStore) -> None:
    """No version is made for it, and everything opens by the newest."""

    async def filled() -> None:
        async with sqlite_database(config.parent) as database:
            await fill(database, store, records=3)

    asyncio.run(filled())
    rotate(config)
    rotate(config)
    assert {"version": 3, "changed": 0, "left": 0, "retired": [1, 2]} == rotate(config, retire_old=True)
    assert [3] == [each.number for each in store.versions()]
    assert [] == rotate(config, retire_old=True)["retired"]


def test_beside_a_running_sidecar_retiring_waits(
    config: Path, store: FileKeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it wrapped by the old version may not be in the database yet; an hour later it is."""
    rotate(config)
    with locked(config.parent):
        with pytest.raises(ConfigInvalid, match="stop it, or wait"):
            rotate(config, retire_old=True)
        assert [1, 2] == [each.number for each in store.versions()]
        monkeypatch.setattr(keys_rotate, "SETTLING", timedelta(0))
        assert [1] == rotate(config, retire_old=True)["retired"]


def test_versions_that_something_needs_are_not_retired(config: Path, store: FileKeyStore) -> None:
    """A key that does not open keeps them all, and the command says how many there are."""
    elsewhere = FileKeyStore.create(config.parent / "elsewhere", PASSPHRASE, cost=CHEAP)

    async def filled() -> None:
        async with sqlite_database(config.parent) as database:
            await fill(database, elsewhere, records=3)

    asyncio.run(filled())
    assert {"version": 2, "changed": 0, "left": 9, "retired": []} == rotate(config, new_version=True)
    with pytest.raises(ConfigInvalid, match="9 keys do not open"):
        rotate(config, retire_old=True)
    assert [1, 2] == [each.number for each in store.versions()]


def test_both_wishes_at_once_are_refused(config: Path) -> None:
    """One makes a version, the other must not."""
    with pytest.raises(InputInvalid, match="one of the two"):
        run("keys", "rotate", "--config", config, "--new-version", "--retire-old")


async def test_doctor_tells_what_is_wrong_with_keys(
    config: Path, store: FileKeyStore, passphrase: Path
) -> None:
    """Modes, the key store, the identity and the chain, each by itself."""
    settings = Settings.load(config)
    Identity.generate().save(settings.operator_path, PASSPHRASE, cost=CHEAP)
    found = {one.check: one for one in await keys_doctor.of_sidecar(config)}
    assert {"key files": True, "key store": True, "identity": True, "encryption key": False} == {
        name: one.ok for name, one in found.items()
    }
    assert "version 1 wraps and unwraps" in found["key store"].detail
    passphrase.chmod(0o644)
    settings.key_store_path.chmod(0o640)
    found = {one.check: one for one in await keys_doctor.of_sidecar(config)}
    assert {str(passphrase), str(settings.key_store_path)} <= set(
        found["key files"].detail.replace(",", " ").replace(";", " ").split()
    )
    assert (False, True) == (found["key store"].ok, "chmod 600" in found["key store"].detail)
    assert store


@pytest.mark.parametrize(
    ("package", "own"),
    [
        ("hvac", {"kind": "vault", "vault_url": "https://vault:8200", "vault_token_file": "t"}),
        ("pkcs11", {"kind": "pkcs11", "pkcs11_module": "m", "pkcs11_token": "t", "pkcs11_pin_file": "p"}),
    ],
)
def test_a_missing_package_is_named(config: Path, package: str, own: dict[str, str]) -> None:
    """Vault and PKCS#11 need extras; the program says which to install."""
    program = f"""
import sys
sys.modules[{package!r}] = None
sys.argv = ["caregrid", "keys", "show", "--config", {str(config)!r}]
from ocw_sidecar.cli.main import main
main()
"""
    chosen = {f"CAREGRID_KEY_STORE__{name.upper()}": value for name, value in own.items()}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | chosen,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ConfigInvalid.exit_code == done.returncode
    assert f"caregrid[{own['kind']}]" in done.stderr


@pytest.mark.parametrize(
    ("own", "advice"),
    [
        ({"kind": "vault"}, "needs vault_url"),
        ({"kind": "vault", "vault_url": "https://v"}, "vault_token_file"),
        ({"kind": "vault", "vault_url": "https://v", "vault_role_id_file": "r"}, "vault_secret_id_file"),
        (
            {
                "kind": "vault",
                "vault_url": "https://v",
                "vault_token_file": "t",
                "vault_role_id_file": "r",
                "vault_secret_id_file": "s",
            },
            "or vault_role_id_file",
        ),
        ({"kind": "vault", "vault_url": "v:8200", "vault_token_file": "t"}, "https://HOST:PORT"),
        ({"kind": "pkcs11", "pkcs11_token": "t"}, "needs pkcs11_module, pkcs11_pin_file"),
        ({"kind": "paper"}, "not usable"),
        ({"vault_key": "../x"}, "not usable"),
    ],
)
def test_incomplete_settings_are_named(config: Path, own: dict[str, Any], advice: str) -> None:
    """Each kind says what it lacks."""
    with pytest.raises(ConfigInvalid, match=advice.replace("[", r"\[")):
        Settings.load(config, key_store=own)
