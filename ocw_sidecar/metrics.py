"""What the sidecar counts of itself, in Prometheus' form; never an id, an account or content as a label."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

#: From a look that finds nothing to a sample of objects read from slow storage.
DURATION_BUCKETS_S: Final = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 300.0)


class Metrics:
    """The counters of one sidecar, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._runs = self._counter("worker_runs", "Runs of a worker that ended well.", "worker")
        self._items = self._counter("worker_items", "What a worker's runs did, by kind.", "worker", "kind")
        self._failures = self._counter("worker_failures", "Runs that failed.", "worker", "code")
        self._durations = Histogram(
            "caregrid_worker_run_seconds",
            "How long runs took.",
            ["worker"],
            buckets=DURATION_BUCKETS_S,
            registry=self.registry,
        )
        self._success_time = self._gauge(
            "worker_last_success_timestamp_seconds", "When a run last ended well.", "worker"
        )
        self._success_height = self._gauge(
            "worker_last_success_height", "The block that a run was last done for.", "worker"
        )
        self._paused = self._gauge("worker_paused", "1 while a worker is paused.", "worker")
        self._cursor = self._gauge("clock_cursor", "The last finalized block that was taken in.")
        self._head = self._gauge("clock_finalized_head", "The chain's last finalized block, as last seen.")
        self._lag = self._gauge("clock_lag_blocks", "Finalized blocks that are still to be taken in.")
        self._rebuilds = self._counter(
            "clock_rebuilds", "Times that it went on from the chain's state, since blocks could not be had."
        )
        self._troubled = self._gauge("storage_troubled_objects", "Objects that are stored too thinly.")
        self._removals = self._gauge("storage_removals", "Erased objects that storage still has to give up.")
        self._erased_from = self._gauge(
            "compaction_objects", "Objects with erased bytes in them that are still stored."
        )
        self._compactions = self._gauge("compactions_under_way", "New objects that records are moving to.")
        self._worst = self._gauge("storage_worst_health", "The worst health of the last sample, 0 to 1.")
        self._territory = self._gauge(
            "storage_territory_bytes", "The territory's space, in all and what is left.", "kind"
        )
        self._deadline = self._gauge(
            "storage_territory_deadline_timestamp_seconds", "When the territory's time is over."
        )
        self._proof_rounds = self._counter(
            "proof_rounds", "Rounds in which an object's storage nodes were asked.", "scheme", "outcome"
        )
        self._proof_objects = self._gauge(
            "proof_objects",
            "Objects: proved, waiting for tags, contained (to be asked again), or overdue.",
            "kind",
        )
        self._leads = self._gauge("leader", "1 while this process runs the clock and submits.")

    def run_ended(self, worker: str, *, seconds: float, items: Mapping[str, int], ended_at: float) -> None:
        """Count a run that ended well; `ended_at` is in seconds since 1970."""
        self._runs.labels(worker).inc()
        self._durations.labels(worker).observe(seconds)
        self._success_time.labels(worker).set(ended_at)
        for kind, count in items.items():
            self._items.labels(worker, kind).inc(count)

    def run_failed(self, worker: str, *, code: str, seconds: float) -> None:
        """Count a run that failed; `code` is an error's constant code."""
        self._failures.labels(worker, code).inc()
        self._durations.labels(worker).observe(seconds)

    def succeeded_at(self, worker: str, height: int) -> None:
        """Note the block that a run was done for."""
        self._success_height.labels(worker).set(height)

    def paused(self, worker: str, *, paused: bool) -> None:
        """Note whether a worker is paused."""
        self._paused.labels(worker).set(int(paused))

    def clock(self, *, cursor: int, head: int) -> None:
        """Note how far the clock has come; an endpoint behind the cursor is no lag."""
        self._cursor.set(cursor)
        self._head.set(head)
        self._lag.set(max(0, head - cursor))

    def clock_rebuilt(self) -> None:
        """Note that blocks were left out."""
        self._rebuilds.inc()

    def storage(self, *, troubled: int, removals: int, worst_health: float | None) -> None:
        """Note how objects are stored; the worst health of a sample is None when nothing was measured."""
        self._troubled.set(troubled)
        self._removals.set(removals)
        if worst_health is not None:
            self._worst.set(worst_health)

    def compaction(self, *, objects: int, under_way: int) -> None:
        """Note how many objects still hold erased bytes, and how many new ones are on their way."""
        self._erased_from.set(objects)
        self._compactions.set(under_way)

    def territory(self, *, total: int, remaining: int, deadline: datetime | None) -> None:
        """Note how much space and time is left; a deadline of None does not come."""
        self._territory.labels("total").set(total)
        self._territory.labels("remaining").set(remaining)
        self._deadline.set(inf if deadline is None else deadline.timestamp())

    def proof_round(self, scheme: str, outcome: str) -> None:
        """Count one round of one object."""
        self._proof_rounds.labels(scheme, outcome).inc()

    def proofs(self, *, proved: int, waiting: int, contained: int, overdue: int) -> None:
        """Note how many objects are proved, and how many are not as they should be."""
        kinds = {"proved": proved, "waiting": waiting, "contained": contained, "overdue": overdue}
        for kind, count in kinds.items():
            self._proof_objects.labels(kind).set(count)

    def leads(self, *, leads: bool) -> None:
        """Note whether this process leads."""
        self._leads.set(int(leads))

    def render(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"caregrid_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"caregrid_{name}", text, labels, registry=self.registry)
