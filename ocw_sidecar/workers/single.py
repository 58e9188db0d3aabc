"""A single run of one worker in a process that does nothing else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ocw_sidecar.clock.follower import Follower
from ocw_sidecar.workers.intervals import taken_down
from ocw_sidecar.workers.loop import MAX_ROUNDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from ocw_sidecar.clock.controls import Run
    from ocw_sidecar.pipeline.steps import Step
    from ocw_sidecar.workers.crew import Crew
    from ocw_sidecar.workers.desk import Desk


async def run_single(crew: Crew, desk: Desk, name: str) -> Run:
    """Take in the blocks that are there, run a worker once, and note what came of it."""
    height = await catch_up(desk)
    run = await taken_down(name, _work(crew, name, height), now=desk.bench.ports.now, height=height)
    await desk.controls.note_run(run)
    return run


async def catch_up(desk: Desk) -> int:
    """Follow the chain until its head is reached; return that block's number."""
    reached: asyncio.Queue[int] = asyncio.Queue()
    follower = Follower(
        chain=desk.bench.ports.chain,
        block_log=desk.block_log,
        settings=desk.bench.settings.clock,
        metrics=desk.metrics,
        restore=desk.restorer.restore,
        wake=reached.put,
    )
    cursor = await follower.prepare()
    if cursor >= (await desk.bench.ports.chain.finalized_head()).number:
        return cursor
    async with asyncio.TaskGroup() as group:
        following = group.create_task(follower.run())
        height = await reached.get()
        following.cancel()
    return height


def _work(crew: Crew, name: str, height: int) -> Callable[[], Awaitable[Mapping[str, int]]]:
    steps = [step for named, step in [*crew.shared, *crew.submitting] if named == name]
    if steps:
        return lambda: _drive(steps[:1])
    for worker in crew.intervals:
        if worker.name == name:
            return lambda: worker.run(height)
    [job] = [job for job in crew.wall_jobs if job.name == name]
    return job.run


async def _drive(steps: Sequence[Step]) -> Mapping[str, int]:
    done = 0
    for _ in range(MAX_ROUNDS):
        count = sum([await step.run_once() for step in steps])
        done += count
        if not count:
            break
    return {"items": done}
