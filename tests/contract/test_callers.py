"""Tokens, nonces, patients and search keep their promises on both kinds of database."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from caregrid.errors import Conflict
from caregrid.records import RecordFormat
from caregrid.sealed import new_record_id
from ocw_sidecar.adapters.sql import SqlQueue
from ocw_sidecar.adapters.sql.callers import FORGET_AT_ONCE, SqlCallers
from ocw_sidecar.adapters.sql.patients import SqlPatients
from ocw_sidecar.adapters.sql.search import SqlSearch
from ocw_sidecar.callers.items import Scope
from ocw_sidecar.callers.tokens import draw_token
from ocw_sidecar.pipeline.items import InRow, NewSubmission
from ocw_sidecar.pipeline.patients import RegistrationState
from ocw_sidecar.pipeline.search import Query

if TYPE_CHECKING:
    from ocw_sidecar.adapters.sql import Database

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ACCOUNT = b"\x0a" * 32


async def test_a_token_comes_back_as_it_was(database: Database) -> None:
    """All that is known of a token survives, and is found by its digest alone."""
    callers = SqlCallers(database)
    text, token = draw_token(
        now=NOW, scopes=frozenset({Scope.READ, Scope.FEED}), account=ACCOUNT, expires_at=NOW + MINUTE
    )
    await callers.add(token)
    assert text.encode() != token.digest
    assert token == await callers.token(token.digest)
    assert await callers.token(b"\x00" * 32) is None
    assert [token] == await callers.tokens()


async def test_a_token_ends_once(database: Database) -> None:
    """Revoking is final, and tells whether there was something to revoke."""
    callers, (_, token) = SqlCallers(database), draw_token(now=NOW)
    await callers.add(token)
    assert await callers.revoke(token.token_id, now=NOW)
    assert not await callers.revoke(token.token_id, now=NOW + MINUTE)
    found = await callers.token(token.digest)
    assert found is not None
    assert (NOW, False) == (found.revoked_at, found.is_good(NOW + MINUTE))


async def test_days_of_use_go_forward(database: Database) -> None:
    """A process whose clock is behind does not turn one back."""
    callers, (_, token) = SqlCallers(database), draw_token(now=NOW)
    await callers.add(token)
    for day in (NOW, NOW - timedelta(days=1)):
        await callers.note_use(token.token_id, day=day)
    found = await callers.token(token.digest)
    assert found is not None
    assert NOW == found.used_on


async def test_a_nonce_is_good_once(database: Database) -> None:
    """Of many processes that see a request at the same time, one takes it."""
    callers, nonce = SqlCallers(database), os.urandom(32)
    several = [callers, SqlCallers(database), SqlCallers(database)]
    seen = await asyncio.gather(
        *(each.remember(nonce, now=NOW, until=NOW + MINUTE) for each in several for _ in range(10))
    )
    assert 1 == seen.count(True)
    assert not await callers.remember(nonce, now=NOW + MINUTE, until=NOW + 2 * MINUTE)


async def test_nonces_are_forgotten_when_their_time_is_over(database: Database) -> None:
    """Each new one makes room for more than itself, so the table falls back after a burst."""
    callers = SqlCallers(database)
    old = [os.urandom(32) for _ in range(FORGET_AT_ONCE + 5)]
    for nonce in old:
        assert await callers.remember(nonce, now=NOW, until=NOW + MINUTE)
    late = NOW + 2 * MINUTE
    for _ in range(2):
        assert await callers.remember(os.urandom(32), now=late, until=late + MINUTE)
    assert await callers.remember(old[0], now=late, until=late + MINUTE)


async def test_registrations_are_asked_for_once(database: Database) -> None:
    """Two processes that are asked at the same time note one wish."""
    patients = [SqlPatients(database), SqlPatients(database)]
    patient = os.urandom(32)
    asked = await asyncio.gather(
        *(each.ask(patient, ACCOUNT, now=NOW) for each in patients for _ in range(5))
    )
    assert {RegistrationState.PENDING} == {each.state for each in asked}
    assert [patient] == [each.patient_id for each in await patients[0].due(10, now=NOW)]
    with pytest.raises(Conflict):
        await patients[0].ask(patient, None, now=NOW)


async def test_registrations_go_one_way(database: Database) -> None:
    """Put off, given up, asked for again, and done: what is done stays so."""
    patients, patient = SqlPatients(database), os.urandom(32)
    await patients.ask(patient, None, now=NOW)
    await patients.postpone(patient, due=NOW + MINUTE, reason="CHAIN_UNREACHABLE")
    assert [] == await patients.due(10, now=NOW)
    (waiting,) = await patients.due(10, now=NOW + MINUTE)
    assert (1, "CHAIN_UNREACHABLE") == (waiting.attempts, waiting.reason)
    await patients.fail(patient, reason="X")
    again = await patients.ask(patient, None, now=NOW)
    assert (RegistrationState.PENDING, None, 0) == (again.state, again.reason, again.attempts)
    await patients.finish(patient)
    await patients.fail(patient, reason="late")
    done = await patients.registration(patient)
    assert done is not None
    assert (RegistrationState.REGISTERED, None) == (done.state, done.reason)


async def test_patients_are_listed_across_both_tables(database: Database) -> None:
    """In the order of their ids, each once, a page at a time."""
    queue, patients = SqlQueue(database), SqlPatients(database)
    low, middle, high = (bytes([first]) * 32 for first in (1, 128, 255))
    for patient in (high, low, high):
        await queue.add(submission(patient))
    for patient in (middle, high):
        await patients.ask(patient, None, now=NOW)
    assert [low, middle, high] == await patients.seen(b"", 10)
    assert [low, middle] == await patients.seen(b"", 2)
    assert [high] == await patients.seen(middle, 2)


async def test_search_finds_by_patient_and_page(database: Database) -> None:
    """The newest first; a page's end leads to the next page."""
    queue, search = SqlQueue(database), SqlSearch(database)
    made = [submission(patient) for patient in (ACCOUNT, b"\x0b" * 32, ACCOUNT)]
    for each in made:
        await queue.add(each)
    ids = [each.submission_id for each in made]
    first = await search.submissions(Query(limit=2))
    assert ids[:0:-1] == [each.submission_id for each in first.items]
    assert first.next is not None
    rest = await search.submissions(Query(limit=2, before=first.next))
    assert (ids[:1], None) == ([each.submission_id for each in rest.items], rest.next)
    of_one = await search.submissions(Query(patient_id=ACCOUNT))
    assert [ids[2], ids[0]] == [each.submission_id for each in of_one.items]
    assert [] == list((await search.submissions(Query(state="failed"))).items)
    assert [] == list((await search.records(Query(patient_id=ACCOUNT, state="confirmed"))).items)
    assert [] == list((await search.records(Query(state="failed"))).items)


def submission(patient: bytes) -> NewSubmission:
    """Return a new submission of a patient."""
    return NewSubmission(
        submission_id=new_record_id(),
        patient_id=patient,
        format=RecordFormat.FHIR_R4_JSON,
        length=3,
        digest=bytes(32),
        payload=InRow(b"xyz"),
        wrapped_key=b"wrapped",
        idempotency=None,
        received_at=NOW,
    )
