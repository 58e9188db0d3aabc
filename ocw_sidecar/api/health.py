"""Whether the sidecar lives, whether it takes records in, and how much of what it holds. No token needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from caregrid.errors import DatabaseUnreachable
from ocw_sidecar.api import models
from ocw_sidecar.api.replies import reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client.metrics_core import Metric

    from caregrid.errors import Recoverable
    from ocw_sidecar.metrics import Metrics
    from ocw_sidecar.notifications.port import Outbox
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.intake import Intake
    from ocw_sidecar.pipeline.items import Tally, Trouble

#: The text format that prometheus-client writes.
METRICS_TYPE = "text/plain"


class Health:
    """`/livez`, `/readyz` and `/metrics`."""

    def __init__(
        self, bench: Bench, intake: Intake, *, metrics: Metrics | None, outbox: Outbox | None
    ) -> None:
        self._bench, self._intake, self._metrics, self._outbox = bench, intake, metrics, outbox

    async def livez(self, _request: web.Request) -> web.Response:
        """Answer at all."""
        return reply(models.Alive(live=True))

    async def readyz(self, _request: web.Request) -> web.Response:
        """Say whether a submission would be taken in, and what is being retried meanwhile."""
        refusal: Recoverable | None
        try:
            refusal = await self._intake.refusal()
            troubles = await self._bench.queue.troubles()
        except DatabaseUnreachable as exc:
            refusal, troubles = exc, []
        ready = models.Ready(
            ready=refusal is None,
            reasons=[] if refusal is None else [refusal.code],
            retrying=[
                models.Retrying(stage=each.stage, reason=each.reason, items=each.items) for each in troubles
            ],
        )
        return reply(ready, status=200 if refusal is None else 503)

    async def metrics(self, _request: web.Request) -> web.Response:
        """Answer in Prometheus' text format."""
        queue = self._bench.queue
        deliveries = {} if self._outbox is None else await self._outbox.tallies()
        oldest = await queue.oldest_open()
        age_s = 0.0 if oldest is None else (self._bench.ports.now() - oldest).total_seconds()
        registry = CollectorRegistry()
        registry.register(
            _Snapshot(
                [
                    *_tallies(await queue.tallies()),
                    _troubles(await queue.troubles()),
                    _deliveries(deliveries),
                    _gauge("oldest_open_age_seconds", "How long the oldest item waits.", max(age_s, 0.0)),
                    _gauge("free_disk_bytes", "Free disk for the queue.", self._bench.spool.free_bytes()),
                    CounterMetricFamily(
                        "caregrid_submissions_accepted",
                        "Submissions taken in since the start.",
                        value=self._intake.accepted,
                    ),
                ]
            )
        )
        others = b"" if self._metrics is None else self._metrics.render()
        body = generate_latest(registry) + others
        return web.Response(body=body, content_type=METRICS_TYPE, charset="utf-8")


class _Snapshot(Collector):
    """What the database says now; read anew for each scrape."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Yield what was read."""
        return iter(self._families)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"caregrid_{name}", text, value=value)


def _tallies(tallies: list[Tally]) -> Iterator[GaugeMetricFamily]:
    items = GaugeMetricFamily("caregrid_items", "Items by state.", labels=["kind", "state"])
    sizes = GaugeMetricFamily("caregrid_bytes", "Sealed bytes by state.", labels=["kind", "state"])
    for tally in tallies:
        items.add_metric([tally.kind, tally.state], tally.items)
        sizes.add_metric([tally.kind, tally.state], tally.bytes)
    yield items
    yield sizes


def _deliveries(tallies: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily("caregrid_deliveries", "Notices on their way to channels.", labels=["state"])
    for state, items in tallies.items():
        family.add_metric([state], items)
    return family


def _troubles(troubles: list[Trouble]) -> GaugeMetricFamily:
    family = GaugeMetricFamily("caregrid_retrying", "Items being tried again.", labels=["stage", "reason"])
    for trouble in troubles:
        family.add_metric([trouble.stage, trouble.reason], trouble.items)
    return family
