"""Judges what came in: the valid becomes sealed records, the invalid an outcome that says why.

The work is a step of the pipeline, on any process. What cannot be judged now stays queued, and comes again
later, each time later; it holds up nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from prometheus_client import Counter

from ocw_sidecar.pipeline.steps import ValidateStep, ValidationLimits
from ocw_sidecar.pipeline.steps.validate import count_accepted, count_duplicates, count_rejected

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.items import Verdict


class ValidationStep(ValidateStep):
    """Looks whenever something comes in, within the worker's settings, and counts verdicts."""

    name: ClassVar[str] = "validation"

    def __init__(self, bench: Bench, registry: CollectorRegistry | None = None) -> None:
        """Take the settings; count in a registry, if there is one."""
        settings = bench.settings.workers.validation
        limits = ValidationLimits(
            batch=settings.batch,
            at_once=settings.at_once,
            large_text=int(settings.large_text),
            deduplicate=settings.deduplicate,
            require_answers=settings.terminology_required,
        )
        super().__init__(bench, limits, self._count)
        self._records = Counter(
            "caregrid_validation_records", "Records that were judged.", ["verdict"], registry=registry
        )

    def _count(self, verdict: Verdict) -> None:
        self._records.labels("accepted").inc(count_accepted(verdict))
        self._records.labels("rejected").inc(count_rejected(verdict))
        self._records.labels("duplicate").inc(count_duplicates(verdict))
