"""`caregrid keys list|show|export-public`: what may be known of keys. No secret is ever shown."""

from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caregrid.errors import InputMissing
from caregrid.keys import FileKeyStore, Identity, encode_account
from caregrid.keys.passphrase_file import MAX_FILE_BYTES
from caregrid.keys.secret_file import others_may
from ocw_sidecar.adapters.key_stores import open_key_store
from ocw_sidecar.cli import options, output, passphrases
from ocw_sidecar.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from caregrid.keys import KeyStore

#: A folder of keys holds a few; one of anything else is not read to its end.
MAX_FILES: Final = 1000
_KINDS: Final = {"identity": "identity", "custodian-key": "key store"}

KeyFile = Annotated[Path, typer.Argument(metavar="FILE", help="An identity or a key store.")]


def list_keys(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where key files are.")],
    as_json: options.AsJson = False,
) -> None:
    """List the key files of a folder: what each is, and who may read it. Needs no passphrase."""
    if not folder.is_dir():
        raise InputMissing("there is no such folder; check the path")
    output.result({"keys": list(_key_files(folder))}, as_json=as_json)


def show(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="An identity or a key store.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="The key store of this sidecar, wherever it is.")
    ] = None,
    passphrase_file: passphrases.PassphraseFile = None,
    as_json: options.AsJson = False,
) -> None:
    """Show the account of an identity, or the versions of a key store's master key."""
    if file is None:
        settings = Settings.load(config)
        found = {"kind": str(settings.key_store.kind), **_versions_of(open_key_store(settings))}
    elif _purpose(file) == "custodian-key":
        found = {"kind": "file", **_versions_of(FileKeyStore.open(file, passphrases.known(passphrase_file)))}
    else:
        identity = Identity.load(file, passphrases.known(passphrase_file))
        digest = hashlib.sha256(identity.encryption.public_key).hexdigest()
        found = {"account": encode_account(identity.account), "encryption_key_sha256": digest}
    output.result(found, as_json=as_json)


def export_public(
    file: KeyFile,
    passphrase_file: passphrases.PassphraseFile = None,
    as_json: options.AsJson = False,
) -> None:
    """Print the account of an identity in SS58, and its encryption public key in hex."""
    identity = Identity.load(file, passphrases.known(passphrase_file))
    shown = {
        "account": encode_account(identity.account),
        "encryption_key": identity.encryption.public_key.hex(),
    }
    output.result(shown, as_json=as_json)


def _versions_of(store: KeyStore) -> dict[str, Any]:
    try:
        versions = store.versions()
    finally:
        store.close()
    return {
        "version": versions[-1].number,
        "versions": [
            {
                "version": each.number,
                "created": each.created_at.isoformat(timespec="seconds") if each.created_at else None,
            }
            for each in versions
        ],
    }


def _key_files(folder: Path) -> Iterator[dict[str, Any]]:
    for _, path in zip(range(MAX_FILES), sorted(folder.iterdir()), strict=False):
        kind = _KINDS.get(_purpose(path) or "")
        if kind is not None:
            mode = path.stat().st_mode
            yield {
                "file": path.name,
                "kind": kind,
                "mode": f"{stat.S_IMODE(mode):04o}",
                "private": not others_may(mode),
            }


def _purpose(path: Path) -> str | None:
    try:
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            return None
        head = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    purpose = head.get("purpose") if isinstance(head, dict) else None
    return purpose if isinstance(purpose, str) else None
