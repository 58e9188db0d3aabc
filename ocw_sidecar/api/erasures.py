"""Records erased for ever, with a receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import structlog
from pydantic import Field

from caregrid.chain.port import Tombstone
from caregrid.erasures import ReasonCode  # noqa: TC001 - pydantic reads annotations at run time
from caregrid.errors import NotFound, RecordErased, RecordUnknown
from ocw_sidecar.api import requests
from ocw_sidecar.api.callers import CALLER, Scope
from ocw_sidecar.api.models import Given, IdOut, LongOut, Taken
from ocw_sidecar.api.operators import in_time
from ocw_sidecar.api.replies import reply, to_ms
from ocw_sidecar.api.routes import Body, Followed, Route
from ocw_sidecar.pipeline.erasure import ErasureState  # noqa: TC001 - pydantic reads annotations at run time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from ocw_sidecar.api.limits import Limits
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.erasing import Eraser
    from ocw_sidecar.pipeline.erasure import Erasure, Receipt

#: A record has a handful of receipts; more are only written when backups are restored again and again.
MAX_RECEIPTS: Final = 64

log = structlog.get_logger()


class ErasureWish(Taken):
    """Why a record is to be erased, in a code."""

    reason: Annotated[
        ReasonCode | None, Field(description="Stands in the receipt; it is no text, so it names nobody.")
    ] = None


class ErasureReceipt(Given):
    """One thing that was done; digest is SHA-256 of `caregrid/erasure-receipt/v1`, a line feed, and body."""

    number: Annotated[int, Field(description="Of all receipts of this sidecar, from 1, without a gap.")]
    body: Annotated[str, Field(description="JSON, with the digest of the receipt before it as `previous`.")]
    digest: LongOut


class ErasureView(Given):
    """How far an erasure is."""

    record: IdOut
    state: ErasureState
    decided: Annotated[int, Field(description="Milliseconds since 1970; the keys are gone since then.")]
    object: Annotated[LongOut | None, Field(description="What its bytes lie in, or lay in; null: not known.")]
    waits_for: Annotated[str | None, Field(description="A code; null: for nothing in particular.")]
    custodian: LongOut
    receipts: list[ErasureReceipt]


class Erasures:
    """The resource `/v1/records/{id}/erasure`."""

    def __init__(self, bench: Bench, eraser: Eraser, limits: Limits) -> None:
        self._bench, self._eraser, self._limits = bench, eraser, limits

    async def post(self, request: web.Request) -> web.Response:
        """Erase a record for ever; answers once that cannot be undone."""
        record_id = requests.record_id_of(request)
        wish = await requests.json_body(request, ErasureWish)
        await self._limits.key_release(request[CALLER])
        if await self._eraser.book.erasure(record_id) is None:
            await self._require_ours(record_id)
            await self._eraser.erase(record_id, code=wish.reason)
            log.info("erasure_decided", record=record_id.hex())
        return reply(await self._view(record_id), status=202)

    async def get(self, request: web.Request) -> web.Response:
        """Say how far an erasure is, with its receipts."""
        return reply(await self._view(requests.record_id_of(request)))

    async def require_standing(self, record_id: bytes) -> None:
        """Refuse what concerns a record that is erased, or is to be.

        Raises:
            RecordErased: it is.
            ChainUnreachable: it cannot be told now.
        """
        if await self._eraser.book.erasure(record_id) is not None:
            raise RecordErased
        # A database out of a backup does not know yet what the chain says.
        if await in_time(self._bench.ports.chain.tombstone(record_id)) is not None:
            raise RecordErased

    async def _require_ours(self, record_id: bytes) -> None:
        if await self._eraser.book.is_held(record_id):
            return
        view = await in_time(self._bench.ports.chain.record_view(record_id))
        if view is None or view.custodian != self._bench.settings.organisation:
            raise (
                RecordErased
                if isinstance(view, Tombstone)
                else RecordUnknown("this custodian has no record with this id; check the id")
            )

    async def _view(self, record_id: bytes) -> ErasureView:
        erasure = await self._eraser.book.erasure(record_id)
        if erasure is None:
            raise NotFound("no erasure of a record with this id was asked for here; check the id")
        receipts = await self._eraser.book.receipts(record_id)
        return _erasure_view(erasure, receipts[:MAX_RECEIPTS], self._bench.settings.organisation)


def routes(to: Erasures) -> Sequence[Route]:
    """Return the routes that lead there."""
    return Followed(
        path="/v1/records/{id}/erasure",
        ask=to.post,
        look=to.get,
        asking="Erase a record for ever; its keys are destroyed when this answers",
        looking="Say how far an erasure is, with its receipts",
        durable="It is decided.",
        scope=Scope.ERASE,
        model=ErasureView,
        body=Body(model=ErasureWish),
    ).routes()


def _erasure_view(erasure: Erasure, receipts: Sequence[Receipt], custodian: bytes) -> ErasureView:
    return ErasureView(
        record=erasure.record_id.hex(),
        state=erasure.state,
        decided=to_ms(erasure.decided_at),
        object=None if erasure.object_id is None else erasure.object_id.hex(),
        waits_for=erasure.reason,
        custodian=custodian.hex(),
        receipts=[
            ErasureReceipt(number=each.number, body=each.body, digest=each.digest.hex()) for each in receipts
        ],
    )
