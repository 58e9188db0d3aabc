"""`caregrid keys reveal`: a record's data key, for the day that CareGrid is not there to open it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from caregrid.errors import InputInvalid, NotFound
from ocw_sidecar.adapters.opening import open_database
from ocw_sidecar.adapters.real import real_ports
from ocw_sidecar.adapters.sql.queue import SqlQueue
from ocw_sidecar.cli import options, output
from ocw_sidecar.pipeline.releases import Ground
from ocw_sidecar.settings import Settings

#: What has to be typed; no one types it by mistake.
CONFIRMATION: Final = "reveal"
_WARNING: Final = (
    "Whoever has this key and the sealed bytes reads the record for ever: no grant is asked, none can be "
    "withdrawn, and erasing the record does not reach copies made before. Let it be shown only where "
    "nobody looks on and nothing keeps what the terminal shows."
)

app = typer.Typer()


@app.command()
def reveal(
    record: options.RecordArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Ask for no confirmation; for scripts.")] = False,
    config: Annotated[
        Path | None,
        typer.Option(help="As the custodian: a sidecar's TOML file. Its key store is asked, and no chain."),
    ] = None,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Print a record's data key in hex, with which any Tink opens `emr get --sealed`; after a warning."""
    record_id = options.record_id(record)
    if not yes:
        _confirm()
    if config is None:
        data_key = options.with_client(profile, lambda client: client.reveal_data_key(record_id))
    else:
        data_key = asyncio.run(custodians_key(Settings.load(config), record_id))
    output.result({"record": record_id.hex(), "data_key": data_key.hex()}, as_json=as_json)


async def custodians_key(settings: Settings, record_id: bytes) -> bytes:
    """Return a record's data key from the custodian's key store; that it was taken is on record first.

    Raises:
        NotFound: no such record was accepted here, or its key is destroyed.
        KeyStoreLocked: the key store does not open.
        WrongKey: it has another master key than the one that wrapped this.
    """
    async with open_database(settings) as database, real_ports(settings) as ports:
        queue = SqlQueue(database)
        kept = await queue.releasable_key(record_id)
        if kept is None:
            raise NotFound("this custodian keeps no key of a record with this id; check the id")
        data_key = await asyncio.to_thread(ports.key_store.unwrap, record_id, kept)
        account = ports.submitter.account
        await queue.note_release(record_id, account, ground=Ground.OWN, now=ports.now())
    return data_key


def _confirm() -> None:
    output.notes.print(f"{_WARNING}\nType '{CONFIRMATION}' to go on.")
    if sys.stdin.readline().strip() != CONFIRMATION:
        raise InputInvalid("not confirmed, so nothing was shown; give --yes in scripts")
