"""What a gateway counts of itself, in Prometheus' form; nodes are labels, accounts and objects never."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from storage_network.gateway.node_client import NodeClient, NodeHealth

#: From a cached answer to the upload of a large object.
DURATION_BUCKETS_S: Final = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 600.0)


class GatewayMetrics:
    """The counters of one gateway, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "caregrid_gateway_requests", "Answers.", ["route", "status"], registry=self.registry
        )
        self._durations = Histogram(
            "caregrid_gateway_request_seconds",
            "How long answers took.",
            ["route"],
            buckets=DURATION_BUCKETS_S,
            registry=self.registry,
        )
        self._restored = self._gauge("segments_restored", "Segments read by way of parity since the start.")
        self._garbage = self._gauge("garbage_fragments", "Fragments still to be deleted from nodes.")
        self._unfinished = self._gauge("unfinished_uploads", "Resumable uploads that are not complete.")
        self._unfinished_bytes = self._gauge("unfinished_bytes", "Their announced bytes.")
        self._moved = self._gauge("fragments_moved", "Fragments that got another node since the start.")
        self._draining = self._gauge(
            "node_drain_fragments", "Fragments still on a node that is drained.", "node"
        )
        self._alive = self._gauge("node_up", "1 while a node answers.", "node")
        self._free = self._gauge("node_bytes_free", "Bytes that a node has room for.", "node")
        self._corrupt = self._gauge("node_corrupt_fragments", "Damage that a node has set aside.", "node")
        self._failures = self._gauge(
            "node_failures", "Requests a node did not answer since the start.", "node"
        )
        self._lies = self._gauge(
            "node_lies", "Fragments a node sent that were others, since the start.", "node"
        )

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count an answer; `route` is a pattern, not a path."""
        self._requests.labels(route, status).inc()
        self._durations.labels(route).observe(seconds)

    def note_work(
        self, *, restored: int, garbage: int, unfinished: int, unfinished_bytes: int, moved: int
    ) -> None:
        """Take in what the gateway's parts have counted."""
        self._restored.set(restored)
        self._garbage.set(garbage)
        self._unfinished.set(unfinished)
        self._unfinished_bytes.set(unfinished_bytes)
        self._moved.set(moved)

    def note_drains(self, left: Mapping[str, int]) -> None:
        """Take in how many fragments the nodes that are drained still hold."""
        self._draining.clear()
        for node, count in left.items():
            self._draining.labels(node).set(count)

    def note_nodes(self, nodes: NodeClient, told: Mapping[str, NodeHealth | None]) -> None:
        """Take in what nodes have told of themselves."""
        for node, health in told.items():
            self._alive.labels(node).set(health is not None)
            self._free.labels(node).set((health and health.bytes_free) or 0)
            self._corrupt.labels(node).set((health and health.corrupt) or 0)
            self._failures.labels(node).set(nodes.failures[node])
            self._lies.labels(node).set(nodes.lies[node])

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"caregrid_gateway_{name}", text, labels, registry=self.registry)
