"""Options and arguments that several commands share."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Final, TypeVar

import platformdirs
import typer

from caregrid.client import EmrClient
from caregrid.errors import InputInvalid
from caregrid.keys import decode_account
from caregrid.records import PATIENT_ID_LEN, RECORD_ID_LEN

T = TypeVar("T")

#: Where `caregrid devnet` keeps its network, unless told otherwise.
DEVNET_FOLDER: Final = Path(platformdirs.user_data_dir("caregrid")) / "devnet"

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON line instead of text.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", envvar="CAREGRID_CONFIG_FILE", help="A TOML file; CAREGRID_* stand above it."),
]
ProfilePath = Annotated[
    Path,
    typer.Option(
        "--profile",
        envvar="CAREGRID_PROFILE",
        help="Who to act as, and where chain, storage and sidecar are.",
    ),
]
DEFAULT_PROFILE: Final = DEVNET_FOLDER / "clinic.toml"

RecordArgument = Annotated[str, typer.Argument(metavar="RECORD", help="A record's id: 32 hex digits.")]
AccountArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="SS58, or 0x and 64 hex digits.")]


def record_id(text: str) -> bytes:
    """Return a record id from hex."""
    return _hex("record id", text, RECORD_ID_LEN)


def patient_id(text: str) -> bytes:
    """Return a patient id from hex."""
    return _hex("patient id", text, PATIENT_ID_LEN)


def account(text: str) -> bytes:
    """Return an account from SS58 or hex."""
    return decode_account(text)


def with_client(profile: Path, work: Callable[[EmrClient], Awaitable[T]]) -> T:
    """Run work with a client of the profile, and close it."""

    async def run() -> T:
        async with await EmrClient.from_profile(profile) as client:
            return await work(client)

    return asyncio.run(run())


def path_from_environment(name: str) -> Path | None:
    """Return the path that an environment variable names, if it does."""
    value = os.environ.get(name)
    return Path(value) if value else None


def _hex(what: str, text: str, length: int) -> bytes:
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        value = b""
    if len(value) != length:
        raise InputInvalid(f"a {what} is {2 * length} hex digits")
    return value
