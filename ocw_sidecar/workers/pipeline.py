"""The workers that take records from intake to confirmation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ocw_sidecar.pipeline.steps import (
    AnchorStep,
    AssembleStep,
    ConfirmStep,
    PackStep,
    Step,
    StoreStep,
    ValidateStep,
)
from ocw_sidecar.workers.loop import Worker

if TYPE_CHECKING:
    import asyncio

    from ocw_sidecar.pipeline.bench import Bench

#: Confirming reads the chain once a pack; more at once would only queue up at the node.
CONFIRM_BATCH: Final = 4


def pipeline_steps(bench: Bench) -> dict[str, Step]:
    """Return the steps by the names of their workers, and lanes where waiting for the outside dominates."""
    settings = bench.settings
    return {
        "validation": ValidateStep(bench, batch=settings.validate_batch),
        "packing": PackStep(bench),
        "assembly": AssembleStep(bench),
        **{f"storing-{lane}": StoreStep(bench) for lane in range(settings.store_lanes)},
        **{
            f"anchoring-{lane}": AnchorStep(bench, batch=settings.anchor_batch)
            for lane in range(settings.anchor_lanes)
        },
        "confirmation": ConfirmStep(bench, batch=CONFIRM_BATCH),
    }


def pipeline_workers(bench: Bench, stop: asyncio.Event) -> list[Worker]:
    """Return a worker for every step."""
    return [
        Worker(name=name, step=step, bells=bench.bells, tick_s=bench.settings.tick_s, stop=stop)
        for name, step in pipeline_steps(bench).items()
    ]
