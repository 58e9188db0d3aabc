"""Counts of the batches that all workers submit by, and of the cache that they read the chain through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from caregrid.chain.answers import AnswerCounts
    from caregrid.chain.batching import BatchingSubmitter


class BatchCounts(Collector):
    """Reads them off the submitter when they are asked for."""

    def __init__(self, batches: BatchingSubmitter) -> None:
        self._batches = batches

    def collect(self) -> Iterator[Metric]:
        """Yield them in Prometheus' form."""
        load = self._batches.load
        yield GaugeMetricFamily(
            "caregrid_chain_calls_waiting", "Calls that wait for a batch.", value=load.waiting
        )
        yield GaugeMetricFamily(
            "caregrid_chain_batches_under_way", "Batches that are not final yet.", value=load.under_way
        )
        yield CounterMetricFamily(
            "caregrid_chain_batches", "Batches that were sent to the chain.", value=load.batches
        )
        yield CounterMetricFamily("caregrid_chain_calls", "Calls in these batches.", value=load.calls)


class CacheCounts(Collector):
    """Reads them off the cache when they are asked for."""

    def __init__(self, counts: AnswerCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Yield them in Prometheus' form."""
        found = CounterMetricFamily(
            "caregrid_chain_cache_reads",
            "Answers of nodes that are kept, by whether they were there.",
            labels=["found"],
        )
        found.add_metric(["hit"], self._counts.hits)
        found.add_metric(["miss"], self._counts.misses)
        yield found
