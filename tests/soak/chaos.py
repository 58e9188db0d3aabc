"""What goes wrong: each fault happens, lasts a moment, and is put right again."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from random import Random

    from aiohttp import ClientSession

    from tests.soak.site import Site

    Fault = Callable[[Site, ClientSession, Random], Awaitable[None]]

#: How long a fault lasts before it is put right.
FAULT_S: Final = 4.0


async def kill_leader(site: Site, session: ClientSession, _: Random) -> None:
    """The sidecar that submits dies, and comes back after another took over."""
    leader = await site.leader(session)
    leader.kill()
    assert leader is not await site.leader(session)
    await asyncio.to_thread(leader.start)


async def kill_sidecar(site: Site, _session: ClientSession, random: Random) -> None:
    """Any sidecar dies, and comes back."""
    one = random.choice(site.sidecars)
    one.kill()
    await asyncio.sleep(FAULT_S)
    await asyncio.to_thread(one.start)


async def stall_sidecar(site: Site, _session: ClientSession, random: Random) -> None:
    """Any sidecar stands still, longer than its leases last, and goes on as if nothing had been."""
    one = random.choice(site.living)
    assert one.process is not None
    os.kill(one.process.pid, signal.SIGSTOP)
    await asyncio.sleep(2 * FAULT_S)
    os.kill(one.process.pid, signal.SIGCONT)


async def restart_database(site: Site, _session: ClientSession, random: Random) -> None:
    """PostgreSQL crashes or is shut down, and comes back."""
    kind = random.choice((signal.SIGQUIT, signal.SIGINT))
    await asyncio.to_thread(site.server.stop, kind)
    await asyncio.sleep(FAULT_S / 2)
    await asyncio.to_thread(site.server.start)


async def restart_node(site: Site, _session: ClientSession, _: Random) -> None:
    """The chain's node is killed, and started again on its database."""
    await asyncio.to_thread(site.restart_node)
    await asyncio.sleep(FAULT_S)


async def kill_storage_nodes(site: Site, _session: ClientSession, random: Random) -> None:
    """Some storage nodes die, and come back."""
    numbers = random.sample(range(12), 3)
    for number in numbers:
        site.network.storage.kill_node(number)
    await asyncio.sleep(FAULT_S)
    for number in numbers:
        await asyncio.to_thread(site.network.storage.restart_node, number)


async def kill_gateway(site: Site, _session: ClientSession, _: Random) -> None:
    """The storage gateway dies, and comes back."""
    site.network.storage.kill_gateway()
    await asyncio.sleep(FAULT_S)
    await asyncio.to_thread(site.network.storage.restart_gateway)


FAULTS: Final[Mapping[str, Fault]] = {
    "kill leader": kill_leader,
    "kill sidecar": kill_sidecar,
    "stall sidecar": stall_sidecar,
    "restart database": restart_database,
    "restart node": restart_node,
    "kill storage nodes": kill_storage_nodes,
    "kill gateway": kill_gateway,
}
