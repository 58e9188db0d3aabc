"""Which store the commands of `caregrid storage` work with, and which objects there are."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from caregrid.client import EmrClient
from caregrid.errors import InputInvalid
from caregrid.records import OBJECT_ID_LEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from caregrid.storage import ObjectStore
    from ocw_sidecar.settings import Settings

T = TypeVar("T")

ObjectArgument = Annotated[str, typer.Argument(metavar="OBJECT", help="An object's file id: 64 hex digits.")]
Config = Annotated[
    Path | None,
    # The environment names no configuration here: it would quietly stand above a profile that was given.
    typer.Option("--config", help="Act as the sidecar of this configuration instead of a profile."),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """A store, and how to list what is in it."""

    store: ObjectStore
    settings: Settings | None  #: of the sidecar that is acted for

    async def objects(self) -> AsyncIterator[bytes]:
        """Yield every object: the organisation's, as the sidecar follows the chain, or the account's own."""
        if self.settings is None:
            async for entry in self.store.list():
                yield entry.object_id
            return
        from ocw_sidecar.cli.storage_sidecar import followed_objects  # noqa: PLC0415 - as below

        async for object_id in followed_objects(self.settings):
            yield object_id


@asynccontextmanager
async def opened(profile: Path, config: Path | None) -> AsyncIterator[Opened]:
    """Open the store of a profile, or of a sidecar's configuration; nothing is contacted yet.

    Raises:
        ConfigInvalid: the profile or configuration is missing or wrong.
        KeyStoreLocked: the passphrase does not open the identity.
    """
    if config is None:
        async with await EmrClient.from_profile(profile) as client:
            yield Opened(store=client.store, settings=None)
        return
    # Who uses a profile does not wait for the sidecar's libraries.
    from ocw_sidecar.cli.storage_sidecar import sidecar_store  # noqa: PLC0415

    async with sidecar_store(config) as (store, settings):
        yield Opened(store=store, settings=settings)


def with_store(profile: Path, config: Path | None, work: Callable[[ObjectStore], Awaitable[T]]) -> T:
    """Run work with the store, and close it."""

    async def run() -> T:
        async with opened(profile, config) as found:
            return await work(found.store)

    return asyncio.run(run())


def object_id(text: str) -> bytes:
    """Return an object id from hex.

    Raises:
        InputInvalid: it is none.
    """
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        value = b""
    if len(value) != OBJECT_ID_LEN:
        raise InputInvalid(f"an object's file id is {2 * OBJECT_ID_LEN} hex digits")
    return value
