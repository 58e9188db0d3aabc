"""A worker in a process of its own: `python postgres_claimer.py URL`. Claims until nothing is left.

Prints what it claimed; a line on its input starts it.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from ocw_sidecar.adapters.postgres import Access, PostgresDatabase
from ocw_sidecar.adapters.sql import SqlQueue
from ocw_sidecar.pipeline.states import Stage
from ocw_sidecar.ports import utc_now


async def main(url: str) -> None:
    """Claim a few jobs at a time, from several tasks."""
    database = PostgresDatabase(Access(url))
    queue = SqlQueue(database)
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(claim(queue))
    await database.close()


async def claim(queue: SqlQueue) -> None:
    """Claim until nothing is left."""
    now = utc_now()
    while jobs := await queue.claim(Stage.VALIDATE, 7, now=now, until=now + timedelta(hours=1)):
        for job in jobs:
            sys.stdout.write(job.item.hex() + "\n")


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    asyncio.run(main(sys.argv[1]))
