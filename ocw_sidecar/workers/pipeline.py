"""The workers that take records from validation to confirmation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ocw_sidecar.pipeline.steps import (
    AnchorStep,
    AssembleStep,
    ConfirmStep,
    PackStep,
    Step,
    StoreStep,
)
from ocw_sidecar.workers.validation import ValidationStep

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from ocw_sidecar.pipeline.bench import Bench

#: Confirming reads the chain once a pack; more at once would only queue up at the node.
CONFIRM_BATCH: Final = 4


def shared_steps(bench: Bench, registry: CollectorRegistry | None = None) -> list[tuple[str, Step]]:
    """Return the steps that every process may run, by the names of their workers.

    A name stands more than once, for lanes, where waiting for the outside dominates. Those that count more
    than their runs do so in the registry.
    """
    settings = bench.settings
    return [
        (ValidationStep.name, ValidationStep(bench, registry)),
        ("packing", PackStep(bench)),
        ("assembly", AssembleStep(bench)),
        *(("storing", StoreStep(bench)) for _ in range(settings.store_lanes)),
        ("confirmation", ConfirmStep(bench, batch=CONFIRM_BATCH)),
    ]


def submitting_steps(bench: Bench) -> list[tuple[str, Step]]:
    """Return the steps that only the process may run which submits to the chain."""
    settings = bench.settings
    return [
        ("anchoring", AnchorStep(bench, batch=settings.anchor_batch)) for _ in range(settings.anchor_lanes)
    ]
