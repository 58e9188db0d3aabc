"""Registrations of patients in a database of either kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import Conflict, QueueFull
from ocw_sidecar.adapters.sql.rows import from_ms, to_ms
from ocw_sidecar.pipeline import sql
from ocw_sidecar.pipeline.patients import (
    MAX_PENDING,
    Patients,
    Registration,
    RegistrationCount,
    RegistrationState,
)

if TYPE_CHECKING:
    from datetime import datetime

    from ocw_sidecar.adapters.sql.database import Database, Row, Session

SQL: Final = {**sql.named_statements("patients"), **sql.named_statements("search")}


class SqlPatients(Patients):
    """Registrations; the database stays open when this is dropped."""

    def __init__(self, database: Database) -> None:
        self._write, self._read = database.write, database.read

    async def ask(self, patient_id: bytes, controller: bytes | None, *, now: datetime) -> Registration:
        """Note a wish; see `Patients.ask`."""
        return await self._write(lambda db: _ask(db, patient_id, controller, now))

    async def registration(self, patient_id: bytes) -> Registration | None:
        """Look one up; see `Patients.registration`."""
        return await self._read(lambda db: _find(db, patient_id))

    async def due(self, limit: int, *, now: datetime) -> list[Registration]:
        """List what is due; see `Patients.due`."""
        parameters = {"limit": limit, "now": to_ms(now)}
        rows = await self._read(lambda db: db.execute(SQL["due_registrations"], parameters).fetchall())
        return [_registration(row) for row in rows]

    async def finish(self, patient_id: bytes) -> None:
        """Note success; see `Patients.finish`."""
        await self._run("finish_registration", patient=patient_id)

    async def fail(self, patient_id: bytes, *, reason: str) -> None:
        """Give one up; see `Patients.fail`."""
        await self._run("fail_registration", patient=patient_id, reason=reason)

    async def postpone(self, patient_id: bytes, *, due: datetime, reason: str) -> None:
        """Put one off; see `Patients.postpone`."""
        await self._run("postpone_registration", patient=patient_id, due=to_ms(due), reason=reason)

    async def counts(self) -> list[RegistrationCount]:
        """Count all; see `Patients.counts`."""
        rows = await self._read(lambda db: db.execute(SQL["count_registrations"], {}).fetchall())
        return [
            RegistrationCount(
                state=RegistrationState(row["state"]), items=int(row["items"]), oldest=from_ms(row["oldest"])
            )
            for row in rows
        ]

    async def seen(self, after: bytes, limit: int) -> list[bytes]:
        """List patients; see `Patients.seen`."""

        def collect(db: Session) -> list[bytes]:
            found: list[bytes] = []
            while len(found) < limit and (patient := _next_patient(db, found[-1] if found else after)):
                found.append(patient)
            return found

        return await self._read(collect)

    async def _run(self, statement: str, **parameters: Any) -> None:
        await self._write(lambda db: db.execute(SQL[statement], parameters).rowcount)


def _ask(db: Session, patient_id: bytes, controller: bytes | None, now: datetime) -> Registration:
    known = _find(db, patient_id)
    parameters = {"patient": patient_id, "controller": controller, "now": to_ms(now)}
    if known is None:
        _require_room(db)
        db.execute(SQL["insert_registration"], parameters)
        known = _find(db, patient_id)
    if known is None or known.controller != controller:
        raise Conflict("this patient was named with another controller; draw a new id")
    if known.state is not RegistrationState.FAILED:
        return known
    db.execute(SQL["reopen_registration"], {"patient": patient_id, "now": to_ms(now)})
    return Registration(patient_id=patient_id, controller=controller, state=RegistrationState.PENDING)


def _require_room(db: Session) -> None:
    row = db.execute(SQL["count_pending_registrations"], {"limit": MAX_PENDING}).fetchone()
    if row is not None and row["items"] >= MAX_PENDING:
        raise QueueFull("too many patients wait to be registered; try again when some are")


def _find(db: Session, patient_id: bytes) -> Registration | None:
    row = db.execute(SQL["registration"], {"patient": patient_id}).fetchone()
    return None if row is None else _registration(row)


def _next_patient(db: Session, after: bytes) -> bytes | None:
    """Skip from patient to patient through the indexes: however many items one has, he costs two look-ups."""
    rows = [
        db.execute(SQL[name], {"after": after}).fetchone()
        for name in ("next_registration", "next_patient_seen")
    ]
    return min((bytes(row["patient"]) for row in rows if row is not None), default=None)


def _registration(row: Row) -> Registration:
    return Registration(
        patient_id=row["patient"],
        controller=row["controller"],
        state=RegistrationState(row["state"]),
        reason=row["reason"],
        attempts=row["attempts"],
    )
