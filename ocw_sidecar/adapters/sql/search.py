"""Looks for items in a database of either kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from caregrid.records import RecordFormat
from ocw_sidecar.adapters.sql import rows
from ocw_sidecar.adapters.sql.rows import from_ms
from ocw_sidecar.pipeline import sql
from ocw_sidecar.pipeline.releases import Ground, Release, ReleasePage
from ocw_sidecar.pipeline.search import MAX_LOOKS, FoundRecord, FoundSubmission, Page, Search
from ocw_sidecar.pipeline.states import RecordState, SubmissionState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ocw_sidecar.adapters.sql.database import Database, Row
    from ocw_sidecar.pipeline.search import Query

T = TypeVar("T")

SQL: Final = sql.named_statements("search")

_PAST_THE_LAST: Final = (1 << 63) - 1

_SUBMISSIONS: Final = {
    "patient": "search_submissions_of_patient",
    "failed": "search_failed_submissions",
    "all": "search_submissions",
}
_RECORDS: Final = {
    "patient": "search_records_of_patient",
    "failed": "search_failed_records",
    "all": "search_records",
}


class SqlSearch(Search):
    """Search; the database stays open when this is dropped."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def submissions(self, query: Query) -> Page[FoundSubmission]:
        """Look for submissions; see `Search.submissions`."""
        return await self._page(query, _SUBMISSIONS, _submission)

    async def records(self, query: Query) -> Page[FoundRecord]:
        """Look for records; see `Search.records`."""
        return await self._page(query, _RECORDS, _record)

    async def releases(self, record_id: bytes, *, before: int | None, limit: int) -> ReleasePage:
        """Look for releases; see `Search.releases`."""
        wanted = {"record": record_id, "before": before or _PAST_THE_LAST, "limit": limit}
        found = await self._database.read(lambda db: db.execute(SQL["releases_of_record"], wanted).fetchall())
        last = found[-1]["id"] if len(found) == limit else None
        return ReleasePage(items=[_release(row) for row in found], next=last)

    async def _page(self, query: Query, statements: Mapping[str, str], read: Callable[[Row], T]) -> Page[T]:
        looked_at = await self._look(query, SQL[statements[_way(query)]].name)
        fitting = [row for row in looked_at if query.state in {None, row["state"]}]
        chosen = fitting[: query.limit]
        return Page(items=[read(row) for row in chosen], next=_next(query, looked_at, fitting))

    async def _look(self, query: Query, statement: str) -> list[Row]:
        parameters = {
            "patient": query.patient_id,
            "since": query.since,
            "before": query.before,
            "look": _looks(query),
        }
        wanted = parameters if query.patient_id is not None else _without_patient(parameters)
        return await self._database.read(lambda db: db.execute(SQL[statement], wanted).fetchall())


def _without_patient(parameters: dict[str, bytes | int | None]) -> dict[str, bytes | int | None]:
    return {name: value for name, value in parameters.items() if name != "patient"}


def _way(query: Query) -> str:
    if query.patient_id is not None:
        return "patient"
    return "failed" if query.state == SubmissionState.FAILED else "all"


def _looks(query: Query) -> int:
    sifted = query.state is not None and _way(query) != RecordState.FAILED
    return MAX_LOOKS if sifted else query.limit


def _next(query: Query, looked_at: list[Row], fitting: list[Row]) -> bytes | None:
    if len(fitting) > query.limit:
        return bytes(fitting[query.limit - 1]["id"])
    return bytes(looked_at[-1]["id"]) if len(looked_at) == _looks(query) else None


def _submission(row: Row) -> FoundSubmission:
    return FoundSubmission(
        submission_id=row["id"],
        patient_id=row["patient"],
        format=RecordFormat(row["format"]),
        state=SubmissionState(row["state"]),
        reason=row["reason"],
        received_at=from_ms(row["received_at"]),
    )


def _record(row: Row) -> FoundRecord:
    return FoundRecord(
        submission_id=row["submission"],
        patient_id=row["patient"],
        format=RecordFormat(row["format"]),
        view=rows.record_view(row),
    )


def _release(row: Row) -> Release:
    return Release(
        number=row["id"],
        account=bytes(row["account"]),
        released_at=from_ms(row["released_at"]),
        ground=None if row["ground"] is None else Ground(row["ground"]),
    )
