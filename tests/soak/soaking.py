"""Load and faults together, then peace, then the check that nothing was lost or done twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from caregrid.client import EmrClient
from tests.soak.application import Application
from tests.soak.chaos import FAULTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

    from tests.soak.site import Site

#: Records a second while faults happen: enough that each meets some at every step.
RATE: Final = 5.0
#: Between two faults.
PEACE_S: Final = 3.0


async def soak(site: Site, faults: Iterable[str], random: Random, told: Callable[[str], None]) -> int:
    """Have faults happen one after another under load; return the number of records that came through."""
    async with (
        await EmrClient.from_profile(site.network.layout.profile("clinic")) as client,
        Application.session(site) as session,
    ):
        patient = await client.register_patient()
        begun = (await client.chain.finalized_head()).number
        application, stop = Application(site, session, patient), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(application.submit_until(stop, rate=RATE))
            for name in faults:
                await asyncio.sleep(PEACE_S)
                told(f"{len(application.submissions)} acknowledged; {name}")
                await FAULTS[name](site, session, random)
            stop.set()
        told(f"{len(application.submissions)} acknowledged; no more faults")
        return await application.check(client.chain, begun)
