"""What a node counts of itself, in Prometheus' form; never a fragment's name as a label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

if TYPE_CHECKING:
    from storage_network.node.fragments import Usage
    from storage_network.node.scrub import Scrubber


class NodeMetrics:
    """The counters of one node, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "caregrid_node_requests", "Answers.", ["method", "status"], registry=self.registry
        )
        self._fragments = self._gauge("fragments", "Fragments held.")
        self._free = self._gauge("bytes_free", "Bytes there is room for.")
        self._used = self._gauge("bytes_used", "Bytes of fragments and tags held.")
        self._limit = self._gauge("bytes_limit", "Bytes that may be held; absent limits are -1.")
        self._corrupt = self._gauge("corrupt_fragments", "Damaged fragments set aside, not yet replaced.")
        self._checked = self._gauge("scrubbed_fragments", "Fragments scrubbed since the start.")
        self._damaged = self._gauge("scrub_damaged_fragments", "Damage that scrubbing found since the start.")
        self._damaged_tags = self._gauge(
            "scrub_damaged_tags", "Damaged sets of tags that scrubbing found since the start."
        )
        self._finished = self._gauge(
            "scrub_finished_timestamp_seconds", "When scrubbing last came to the end; 0 before."
        )

    def answered(self, method: str, status: int) -> None:
        """Count an answer."""
        self._requests.labels(method, status).inc()

    def text(self, usage: Usage, scrubber: Scrubber) -> bytes:
        """Return everything in Prometheus' text format."""
        self._fragments.set(usage.fragments)
        self._free.set(usage.bytes_free)
        self._used.set(usage.bytes_used)
        self._limit.set(-1 if usage.bytes_limit is None else usage.bytes_limit)
        self._corrupt.set(usage.corrupt)
        self._checked.set(scrubber.checked)
        self._damaged.set(scrubber.damaged)
        self._damaged_tags.set(scrubber.damaged_tags)
        self._finished.set(scrubber.finished_at or 0)
        return generate_latest(self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"caregrid_node_{name}", text, registry=self.registry)
