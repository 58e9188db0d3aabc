"""The store and the objects of a sidecar, by its configuration."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from caregrid.errors import ConfigInvalid
from caregrid.records import OBJECT_ID_LEN
from ocw_sidecar.adapters.opening import QUEUE_FILE, open_database
from ocw_sidecar.adapters.real import operator_store
from ocw_sidecar.adapters.sql.ledger import SqlLedger
from ocw_sidecar.background_parts import followed_chain
from ocw_sidecar.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from caregrid.storage import ObjectStore

_NOT_FOLLOWED: Final = (
    "no sidecar has followed the chain with this configuration yet, so its objects are not known; "
    "check the path, or name objects"
)


@asynccontextmanager
async def sidecar_store(config: Path) -> AsyncIterator[tuple[ObjectStore, Settings]]:
    """Open the store as the sidecar of a configuration does; nothing is contacted yet.

    Raises:
        ConfigInvalid: the configuration is wrong, or a file that it names is not there.
        KeyStoreLocked: the passphrase does not open the operator's identity.
    """
    settings = Settings.load(config)
    async with operator_store(settings) as store:
        yield store, settings


async def followed_objects(settings: Settings) -> AsyncIterator[bytes]:
    """Yield the organisation's objects as the sidecar follows the chain, ordered by id.

    Raises:
        ConfigInvalid: no sidecar has followed the chain yet.
    """
    if settings.database.url is None and not (settings.home / QUEUE_FILE).exists():
        raise ConfigInvalid(_NOT_FOLLOWED)
    async with open_database(settings) as database:
        if await followed_chain(settings, database) is None:
            raise ConfigInvalid(_NOT_FOLLOWED)
        ledger, pivot = SqlLedger(database), bytes(OBJECT_ID_LEN)
        while found := await ledger.objects_near([pivot]):
            yield found[0].object_id
            behind = int.from_bytes(found[0].object_id, "big") + 1
            if behind >> (8 * OBJECT_ID_LEN):
                return
            pivot = behind.to_bytes(OBJECT_ID_LEN, "big")
