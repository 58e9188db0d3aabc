"""Asks for passphrases: without echo, twice for a new one, or from a file."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from caregrid.errors import InputInvalid
from caregrid.keys.passphrase_file import MIN_PASSPHRASE_LENGTH
from caregrid.keys.secret_file import read_secret

#: Whoever mistypes more often than this should look at the keyboard.
ATTEMPTS: Final = 3

PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help="Read it there instead of asking: mode 0600, or credential:NAME for a systemd credential.",
    ),
]


def known(path: Path | None) -> str:
    """Return the passphrase of something that exists.

    Raises:
        InputInvalid: there is no terminal to ask at.
        ConfigInvalid, KeyStoreLocked: the file is not usable.
    """
    return _ask("Passphrase: ") if path is None else read_secret(path)


def new(path: Path | None) -> str:
    """Return a passphrase for something new.

    Raises:
        InputInvalid: there is no terminal to ask at, or it was typed differently each time.
        ConfigInvalid, KeyStoreLocked: the file is not usable.
    """
    if path is not None:
        return read_secret(path)
    for _ in range(ATTEMPTS):
        first = _ask(f"New passphrase, at least {MIN_PASSPHRASE_LENGTH} characters: ")
        if first == _ask("The same again: "):
            return first
        sys.stderr.write("These two differ.\n")
    raise InputInvalid("the passphrase was typed differently each time; nothing was made")


def _ask(prompt: str) -> str:
    # Without a terminal `getpass` would read what is typed in the open.
    if not sys.stdin.isatty():
        raise InputInvalid("there is no terminal to type a passphrase at; give --passphrase-file")
    return getpass.getpass(prompt, stream=sys.stderr)
