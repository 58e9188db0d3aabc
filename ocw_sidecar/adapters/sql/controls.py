"""What is asked of workers, in a database of either kind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from ocw_sidecar.adapters.sql.rows import from_ms, to_ms
from ocw_sidecar.clock.controls import Controls, ProcessState, Run, WorkerState
from ocw_sidecar.pipeline import sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ocw_sidecar.adapters.sql.database import Database, Row, Session

SQL: Final = sql.named_statements("controls")


class SqlControls(Controls):
    """The tables of control."""

    def __init__(self, database: Database) -> None:
        self._write, self._read = database.write, database.read

    async def workers(self) -> dict[str, WorkerState]:
        """Read all workers; see `Controls.workers`."""
        found = await self._read(lambda db: db.execute(SQL["workers"]).fetchall())
        return {row["name"]: _worker(row) for row in found}

    async def pause(self, worker: str, *, by: str, now: datetime) -> None:
        """Pause; see `Controls.pause`."""
        parameters = {"name": worker, "now": to_ms(now), "by": by}
        await self._write(lambda db: db.execute(SQL["pause_worker"], parameters).rowcount)

    async def resume(self, worker: str) -> None:
        """Resume; see `Controls.resume`."""
        await self._write(lambda db: db.execute(SQL["resume_worker"], {"name": worker}).rowcount)

    async def ask(self, worker: str) -> int:
        """Ask for a run; see `Controls.ask`."""
        rows = await self._write(lambda db: db.execute(SQL["ask_worker"], {"name": worker}).fetchall())
        return int(rows[0]["asked"])

    async def note_run(self, run: Run) -> None:
        """Note a run; see `Controls.note_run`."""
        ended = to_ms(run.ended_at)
        parameters = {
            "name": run.worker,
            "answered": run.answers,
            "runs": run.runs,
            "failures": run.failures,
            "started": to_ms(run.started_at),
            "ended": ended,
            "succeeded": ended if run.reason is None else None,
            "height": run.height,
            "items": json.dumps(dict(run.items), sort_keys=True),
            "reason": run.reason,
        }
        await self._write(lambda db: db.execute(SQL["note_run"], parameters).rowcount)

    async def note_process(self, process_id: bytes, *, leads: bool, now: datetime) -> None:
        """Note a process; see `Controls.note_process`."""
        parameters = {"id": process_id, "now": to_ms(now), "leads": int(leads)}
        await self._write(lambda db: db.execute(SQL["note_process"], parameters).rowcount)

    async def end_process(self, process_id: bytes) -> None:
        """Forget a process; see `Controls.end_process`."""
        await self._write(lambda db: db.execute(SQL["end_process"], {"id": process_id}).rowcount)

    async def processes(self, *, alive_since: datetime) -> Sequence[ProcessState]:
        """Read the processes that live; see `Controls.processes`."""

        def look(db: Session) -> list[Row]:
            db.execute(SQL["end_lost_processes"], {"before": to_ms(alive_since)})
            return db.execute(SQL["processes"]).fetchall()

        return [
            ProcessState(
                process_id=bytes(row["id"]),
                started_at=from_ms(row["started_at"]),
                seen_at=from_ms(row["seen_at"]),
                leads=bool(row["leads"]),
            )
            for row in await self._write(look)
        ]


def _worker(row: Row) -> WorkerState:
    return WorkerState(
        name=row["name"],
        paused=bool(row["paused"]),
        paused_at=_moment(row["paused_at"]),
        paused_by=row["paused_by"],
        asked=row["asked"],
        answered=row["answered"],
        runs=row["runs"],
        failures=row["failures"],
        started_at=_moment(row["started_at"]),
        ended_at=_moment(row["ended_at"]),
        succeeded_at=_moment(row["succeeded_at"]),
        height=row["height"],
        items={} if row["items"] is None else json.loads(row["items"]),
        reason=row["reason"],
    )


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else from_ms(milliseconds)
