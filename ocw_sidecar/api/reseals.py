"""Records sealed anew under another data key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from caregrid.errors import NotFound, RecordUnknown
from ocw_sidecar.api import requests
from ocw_sidecar.api.callers import CALLER, Scope
from ocw_sidecar.api.models import Given, IdOut
from ocw_sidecar.api.replies import reply, to_ms
from ocw_sidecar.api.routes import Followed, Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from ocw_sidecar.api.erasures import Erasures
    from ocw_sidecar.api.limits import Limits
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.compaction import CompactionBook, ResealRequest


class ResealView(Given):
    """How far the sealing anew of a record is."""

    record: IdOut
    state: Literal["waiting", "done"]
    asked: Annotated[int, Field(description="Milliseconds since 1970.")]
    done: Annotated[int | None, Field(description="Milliseconds since 1970.")]
    waits_for: Annotated[str | None, Field(description="A code of what the last attempt failed with.")]


class Reseals:
    """The resource `/v1/records/{id}/reseal`."""

    def __init__(self, bench: Bench, book: CompactionBook, erasures: Erasures, limits: Limits) -> None:
        self._bench, self._book, self._erasures, self._limits = bench, book, erasures, limits

    async def post(self, request: web.Request) -> web.Response:
        """Have a record sealed under another data key, so that who had the old one opens nothing new."""
        record_id = requests.record_id_of(request)
        await self._limits.key_release(request[CALLER])
        await self._erasures.require_standing(record_id)
        if await self._bench.queue.releasable_key(record_id) is None:
            raise RecordUnknown("no record with this id was accepted here; check the id")
        await self._book.ask_reseal(record_id, self._bench.ports.now())
        return reply(await self._view(record_id), status=202)

    async def get(self, request: web.Request) -> web.Response:
        """Say how far it is."""
        return reply(await self._view(requests.record_id_of(request)))

    async def _view(self, record_id: bytes) -> ResealView:
        asked = await self._book.reseal_request(record_id)
        if asked is None:
            await self._erasures.require_standing(record_id)
            raise NotFound("nobody asked for this record to be sealed anew, or it was long ago; check the id")
        return _view(asked)


def routes(to: Reseals) -> Sequence[Route]:
    """Return the routes that lead there."""
    return Followed(
        path="/v1/records/{id}/reseal",
        ask=to.post,
        look=to.get,
        asking="Have a record sealed under another data key",
        looking="Say how far the sealing anew of a record is",
        durable="It is durable.",
        scope=Scope.OPERATE,
        model=ResealView,
    ).routes()


def _view(asked: ResealRequest) -> ResealView:
    return ResealView(
        record=asked.record_id.hex(),
        state="waiting" if asked.done_at is None else "done",
        asked=to_ms(asked.asked_at),
        done=None if asked.done_at is None else to_ms(asked.done_at),
        waits_for=asked.reason,
    )
