"""A candidate in a process of its own: `python postgres_candidate.py URL ACCOUNT`.

Prints a line whenever it begins or ceases to lead, with the machine's monotonic clock.
"""

from __future__ import annotations

import asyncio
import sys
import time

from ocw_sidecar.adapters.postgres import Access
from ocw_sidecar.adapters.postgres.election import PostgresElection


async def main(url: str, account: bytes) -> None:
    """Campaign until killed."""
    election = PostgresElection(Access(url), account)
    async with asyncio.TaskGroup() as group:
        group.create_task(election.run())
        leads = True
        while True:
            await election.wait_until(leads=leads)
            sys.stdout.write(f"{'leads' if leads else 'stops'} {time.monotonic()}\n")
            sys.stdout.flush()
            leads = not leads


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], bytes.fromhex(sys.argv[2])))
