"""Opens what the background tasks need when they run beside the sidecar, from a command line or from cron.

No leader is asked: entries are claimed one by one in the database, so that whoever runs at the same time,
here or on another machine, leaves them alone.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from caregrid.errors import CaregridError
from ocw_sidecar.adapters.chain import chain_ports
from ocw_sidecar.adapters.opening import open_database
from ocw_sidecar.background_parts import followed_chain, make_background

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ocw_sidecar.adapters.sql import Database
    from ocw_sidecar.ports import ChainPorts
    from ocw_sidecar.settings import Settings
    from ocw_sidecar.workers.background.tasks import Tasks


@asynccontextmanager
async def open_tasks(settings: Settings, *, chain: bool = True) -> AsyncIterator[Tasks]:
    """Open the database and, unless it is not to be touched, the chain; close both at the end.

    A chain for which the key is missing is like one that cannot be reached: its parts of the tasks fail, and
    say why.

    Raises:
        ConfigInvalid, DatabaseUnreachable, DiskLow: the database is not to be had.
    """
    async with AsyncExitStack() as opened:
        database = await opened.enter_async_context(open_database(settings))
        ports: ChainPorts | CaregridError | None = None
        if chain:
            try:
                ports = await _opened_chain(opened, settings, database)
            except CaregridError as fault:
                ports = fault
        yield make_background(settings, database, ports)


async def _opened_chain(opened: AsyncExitStack, settings: Settings, database: Database) -> ChainPorts:
    genesis = await followed_chain(settings, database)
    return await opened.enter_async_context(chain_ports(settings, genesis))
