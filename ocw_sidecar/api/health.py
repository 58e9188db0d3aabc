"""Whether the sidecar lives, whether it takes records in, and how much of what it holds. No token needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.intake import Intake
    from ocw_sidecar.pipeline.items import Tally, Trouble


class Health:
    """`/livez`, `/readyz` and `/metrics`."""

    def __init__(self, bench: Bench, intake: Intake) -> None:
        self._bench, self._intake = bench, intake

    async def livez(self, _request: web.Request) -> web.Response:
        """Answer at all."""
        return web.json_response({"live": True})

    async def readyz(self, _request: web.Request) -> web.Response:
        """Say whether a submission would be taken in, and what is being retried meanwhile."""
        refusal = await self._intake.refusal()
        troubles = await self._bench.queue.troubles()
        answer = {
            "ready": refusal is None,
            "reasons": [] if refusal is None else [refusal.code],
            "retrying": [
                {"stage": each.stage, "reason": each.reason, "items": each.items} for each in troubles
            ],
        }
        return web.json_response(answer, status=200 if refusal is None else 503)

    async def metrics(self, _request: web.Request) -> web.Response:
        """Answer in Prometheus' text format."""
        queue = self._bench.queue
        oldest = await queue.oldest_open()
        age_s = 0.0 if oldest is None else (self._bench.ports.now() - oldest).total_seconds()
        lines = [
            *_tally_lines(await queue.tallies()),
            *_trouble_lines(await queue.troubles()),
            "# TYPE caregrid_oldest_open_age_seconds gauge",
            f"caregrid_oldest_open_age_seconds {max(age_s, 0.0):.3f}",
            "# TYPE caregrid_free_disk_bytes gauge",
            f"caregrid_free_disk_bytes {self._bench.spool.free_bytes()}",
            "# TYPE caregrid_submissions_accepted_total counter",
            f"caregrid_submissions_accepted_total {self._intake.accepted}",
        ]
        return web.Response(text="\n".join(lines) + "\n", content_type="text/plain", charset="utf-8")


def _tally_lines(tallies: list[Tally]) -> Iterator[str]:
    yield "# TYPE caregrid_items gauge"
    for tally in tallies:
        yield f'caregrid_items{{kind="{tally.kind}",state="{tally.state}"}} {tally.items}'
    yield "# TYPE caregrid_bytes gauge"
    for tally in tallies:
        yield f'caregrid_bytes{{kind="{tally.kind}",state="{tally.state}"}} {tally.bytes}'


def _trouble_lines(troubles: list[Trouble]) -> Iterator[str]:
    yield "# TYPE caregrid_retrying gauge"
    for trouble in troubles:
        yield f'caregrid_retrying{{stage="{trouble.stage}",reason="{trouble.reason}"}} {trouble.items}'
