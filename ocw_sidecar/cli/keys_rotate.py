"""`caregrid keys rotate`: a new master key, and every data key wrapped by it."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caregrid.errors import ConfigInvalid, InputInvalid
from ocw_sidecar.adapters.home import locked
from ocw_sidecar.adapters.key_stores import open_key_store
from ocw_sidecar.adapters.opening import open_database
from ocw_sidecar.adapters.sql.rotation import SqlWrappedKeys
from ocw_sidecar.cli import options, output
from ocw_sidecar.pipeline.rotation import is_finished, rewrap_everything
from ocw_sidecar.ports import utc_now
from ocw_sidecar.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from caregrid.keys import KeyStore
    from ocw_sidecar.adapters.sql import Database
    from ocw_sidecar.pipeline.rotation import Rewrapped

#: Within this, whatever a sidecar wrapped by the old version when the new one was made is in the database.
SETTLING: Final = timedelta(hours=1)


def rotate(
    config: options.Config = None,
    new_version: Annotated[
        bool, typer.Option("--new-version", help="Make one even where keys are left under older ones.")
    ] = False,
    retire_old: Annotated[
        bool,
        typer.Option(
            "--retire-old",
            help="Make none; when nothing is left under older ones, have the key store forget those.",
        ),
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Make a new version of the master key and wrap every data key by it; run again, it goes on.

    Sidecars may run meanwhile. Content is not touched.
    """
    if new_version and retire_old:
        raise InputInvalid("--retire-old makes no new version; give one of the two")
    settings = Settings.load(config)
    with output.progress_bar("keys") as progress:
        found = asyncio.run(
            carry_out(settings, new_version=new_version, retire_old=retire_old, progress=progress)
        )
    output.result(found, as_json=as_json)
    raise typer.Exit(1 if found["left"] else 0)


async def carry_out(
    settings: Settings, *, new_version: bool, retire_old: bool, progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Rotate, and say what came of it.

    Raises:
        DiskLow, DatabaseUnreachable, KeyStoreUnreachable, KeyStoreLocked: what is done is done; run it again.
        InputInvalid, ConfigInvalid: older versions cannot be retired yet.
    """
    async with open_database(settings) as database:
        store = await asyncio.to_thread(open_key_store, settings)
        try:
            keys = SqlWrappedKeys(database)
            if new_version or not (retire_old or not await is_finished(keys, store)):
                await asyncio.to_thread(store.rotate)
            done = await rewrap_everything(keys, store, progress)
            retired = await _retire(settings, database, store, done) if retire_old else []
        finally:
            await asyncio.to_thread(store.close)
    return {"version": done.version, "changed": done.changed, "left": done.left, "retired": retired}


async def _retire(settings: Settings, database: Database, store: KeyStore, done: Rewrapped) -> list[int]:
    if done.left:
        raise ConfigInvalid(
            f"{done.left} keys do not open by any version, so none is retired; look at what `keys rotate` "
            "leaves, and restore the key store that wrapped them"
        )
    with ExitStack() as alone:
        versions = await asyncio.to_thread(store.versions)
        if not _has_settled(versions[-1].created_at):
            _require_nobody(settings, database, alone)
        if not await is_finished(SqlWrappedKeys(database), store):
            raise ConfigInvalid("keys were wrapped by an old version meanwhile; run it again")
        old = [each.number for each in versions[:-1]]
        if old:
            await asyncio.to_thread(store.retire, old[-1])
    return old


def _has_settled(created_at: Any) -> bool:
    return created_at is None or utc_now() - created_at >= SETTLING


def _require_nobody(settings: Settings, database: Database, alone: ExitStack) -> None:
    wait = f"wait until the newest version is {SETTLING // timedelta(minutes=1)} minutes old"
    if not database.sole:
        raise ConfigInvalid(f"a sidecar may still hold what an old version wrapped; {wait}, then retire it")
    try:
        alone.enter_context(locked(settings.home))
    except ConfigInvalid as exc:
        raise ConfigInvalid(
            f"the sidecar that runs may still hold what an old version wrapped; stop it, or {wait}"
        ) from exc
