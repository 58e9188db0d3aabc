"""`caregrid keys create`: an identity, or the custodian's master key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from caregrid.keys import Identity, encode_account
from ocw_sidecar.adapters.key_stores import create_key_store
from ocw_sidecar.cli import options, output, passphrases
from ocw_sidecar.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Make new keys; what exists is never written over.")


@app.callback()
def create() -> None:
    """Make new keys; what exists is never written over."""


@app.command()
def identity(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where it is to be.")],
    passphrase_file: passphrases.PassphraseFile = None,
    as_json: options.AsJson = False,
) -> None:
    """Draw the keys of a person or an operator and seal them under a passphrase."""
    made = Identity.generate()
    made.save(file, passphrases.new(passphrase_file))
    output.result({"file": str(file), "account": encode_account(made.account)}, as_json=as_json)


@app.command("key-store")
def key_store(
    config: options.Config = None,
    passphrase_file: passphrases.PassphraseFile = None,
    as_json: options.AsJson = False,
) -> None:
    """Draw the custodian's master key where the settings say: in a file, in Vault, or on a token."""
    settings = Settings.load(config)
    store = create_key_store(settings, lambda: passphrases.new(passphrase_file))
    try:
        version = store.versions()[-1].number
    finally:
        store.close()
    output.result({"kind": str(settings.key_store.kind), "version": version}, as_json=as_json)
