"""A disk that fills up in the middle of the work."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from caregrid import disk
from caregrid.errors import DiskLow
from caregrid.records import RecordFormat
from ocw_sidecar.pipeline import spool
from ocw_sidecar.pipeline.intake import Offer
from ocw_sidecar.pipeline.sql import Statement
from ocw_sidecar.pipeline.states import RecordState
from ocw_sidecar.settings import Settings
from ocw_sidecar.testing import ORGANISATION, PATIENT, Rig, rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ocw_sidecar.pipeline.spool import BeingWritten

SMALL, LARGE = 1000, 4 * spool.INLINE_LIMIT


@pytest.fixture
async def sidecar(tmp_path: Path) -> AsyncIterator[Rig]:
    """A sidecar driven by hand."""
    settings = Settings.load(home=tmp_path, organisation=ORGANISATION, pack_age_limit_s=0.0, min_free_disk=0)
    async with rig(settings) as opened:
        yield opened


async def submit(sidecar: Rig, size: int) -> bytes:
    """Submit opaque content and return its id."""

    async def content() -> AsyncIterator[bytes]:
        for start in range(0, size, 65_536):
            yield os.urandom(min(65_536, size - start))

    offer = Offer(patient_id=PATIENT, format=RecordFormat.BINARY, announced=None, idempotency=None)
    return (await sidecar.intake.take(offer, content())).submission_id


async def fill(sidecar: Rig, size: int) -> list[bytes]:
    """Submit until there is no room; return what was acknowledged before."""
    accepted: list[bytes] = []
    for _ in range(1000):
        try:
            accepted.append(await submit(sidecar, size))
        except DiskLow:
            return accepted
    raise AssertionError("there was always room")


async def set_room(sidecar: Rig, pages: int) -> None:
    """Let the database grow by so many pages only, as on a full disk: SQLite answers SQLITE_FULL."""
    [used] = await pragma(sidecar, "page_count")
    await pragma(sidecar, f"max_page_count = {used + pages}")


async def pragma(sidecar: Rig, words: str) -> Any:
    """Ask the writing connection for something of its own."""
    statement = Statement(name="pragma", text=f"PRAGMA {words}", postgres="")
    return await sidecar.database.write(lambda db: db.execute(statement).fetchone())


def no_space(_: int) -> None:
    """Fail as the system does without room."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_full_database_refuses_new_and_keeps_old(sidecar: Rig) -> None:
    """Without room for a row a submission is refused, and all acknowledged ones go through later."""
    await set_room(sidecar, 20)
    accepted = await fill(sidecar, 50 * SMALL)
    assert accepted
    await set_room(sidecar, 1_000_000)
    await sidecar.drain()
    states = [(await sidecar.bench.queue.records_of(each))[0].state for each in accepted]
    assert [RecordState.CONFIRMED] * len(accepted) == states
    assert len(accepted) == sidecar.intake.accepted


async def test_full_database_leaves_no_spool_file_of_a_refused_one(sidecar: Rig) -> None:
    """A spool file whose row did not fit goes with the refusal."""
    await set_room(sidecar, 0)
    await fill(sidecar, LARGE)
    named = await sidecar.bench.queue.spool_files()
    assert named == {path.name for path in (sidecar.bench.settings.home / "spool").iterdir()}


async def test_refused_group_leaves_no_spool_file(sidecar: Rig) -> None:
    """Contents that come together are refused one by one, and what was spooled for them goes."""
    await set_room(sidecar, 0)
    offer = Offer(patient_id=PATIENT, format=RecordFormat.BINARY, announced=None, idempotency=None)
    large, small = os.urandom(LARGE), os.urandom(50 * SMALL)
    group = [(offer, large), (offer, b""), (offer, small), (offer, large)]
    found = [type(each).__name__ for each in await sidecar.intake.take_all(group)]
    assert ["DiskLow", "InputEmpty", "DiskLow", "DiskLow"] == found
    assert [] == list((sidecar.bench.settings.home / "spool").iterdir())
    await set_room(sidecar, 1_000_000)
    assert ["Submission"] == [type(each).__name__ for each in await sidecar.intake.take_all(group[:1])]


async def test_group_that_is_cut_off_leaves_no_spool_file(
    sidecar: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller who goes in the middle of his group has nothing taken in."""
    offer = Offer(patient_id=PATIENT, format=RecordFormat.BINARY, announced=None, idempotency=None)
    large = os.urandom(LARGE)
    seal, reached = sidecar.intake._seal, asyncio.Event()

    async def stuck(*arguments: Any) -> Any:
        if reached.is_set():
            await asyncio.Event().wait()
        reached.set()
        return await seal(*arguments)

    monkeypatch.setattr(sidecar.intake, "_seal", stuck)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        taking = group.create_task(sidecar.intake.take_all([(offer, large), (offer, large)]))
        await reached.wait()
        while not list((sidecar.bench.settings.home / "spool").iterdir()):  # noqa: ASYNC110 - a file tells
            await asyncio.sleep(0.01)
        taking.cancel()
    assert [] == list((sidecar.bench.settings.home / "spool").iterdir())
    assert [] == await sidecar.bench.queue.tallies()


async def test_caller_who_goes_while_a_spool_file_is_made_leaves_none(
    sidecar: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that makes the file cannot be stopped; the file goes after it is there."""
    entered, going, made = asyncio.Event(), threading.Event(), threading.Event()
    create = sidecar.bench.spool.create
    loop = asyncio.get_running_loop()

    def slow() -> BeingWritten:
        loop.call_soon_threadsafe(entered.set)
        assert going.wait(30)
        file = create()
        made.set()
        return file

    monkeypatch.setattr(sidecar.bench.spool, "create", slow)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        taking = group.create_task(submit(sidecar, LARGE))
        await entered.wait()
        taking.cancel()
        loop.call_later(0.05, going.set)
    assert taking.cancelled()
    assert await asyncio.to_thread(made.wait, 30)
    assert [] == list((sidecar.bench.settings.home / "spool").iterdir())


async def test_full_disk_under_a_spool_file_refuses(sidecar: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A payload that does not fit is refused before anything is acknowledged, and leaves nothing."""
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", no_space)
        with pytest.raises(DiskLow):
            await submit(sidecar, LARGE)
    assert [] == list((sidecar.bench.settings.home / "spool").iterdir())
    assert [] == await sidecar.bench.queue.tallies()
    await submit(sidecar, LARGE)


async def test_full_disk_under_a_pack_file_is_waited_out(
    sidecar: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pack that cannot be written waits; it is no dead letter, and no torn file is uploaded."""
    submission = await submit(sidecar, SMALL)
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", no_space)
        await sidecar.drain()
    ((reason, items),) = [(each.reason, each.items) for each in await sidecar.bench.queue.troubles()]
    assert ("DISK_LOW", 1) == (reason, items)
    await sidecar.bench.queue.release_all(now=sidecar.bench.ports.now())
    assert RecordState.PACKED is (await sidecar.bench.queue.records_of(submission))[0].state


def basic(text: str) -> dict[str, Any]:
    """Return a resource with a narrative."""
    return {"resourceType": "Basic", "code": {"text": "large"}, "text": narrative(text)}


def bundle_of(*resources: dict[str, Any]) -> dict[str, Any]:
    """Return a collection of resources."""
    entries = [{"fullUrl": f"urn:uuid:{uuid.uuid4()}", "resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


@pytest.mark.parametrize("syncs", [2, 5])
async def test_full_disk_under_a_bundles_parts_leaves_none_of_them(
    sidecar: Rig, monkeypatch: pytest.MonkeyPatch, syncs: int
) -> None:
    """Parts that were written before the disk was full go; with room again the Bundle is split anew."""
    text = "x" * (2 * spool.INLINE_LIMIT)
    submission = await submit_json(sidecar, bundle_of(*(basic(f"{text}{number}") for number in range(3))))
    before = spooled(sidecar)
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", Failing(after=syncs))
        await sidecar.drain()
    assert before == spooled(sidecar)
    assert [("DISK_LOW", 1)] == [(each.reason, each.items) for each in await sidecar.bench.queue.troubles()]
    assert [] == await sidecar.bench.queue.records_of(submission)


async def test_full_database_after_splitting_leaves_no_part(
    sidecar: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts whose rows do not fit go with the attempt."""
    text = "x" * (2 * spool.INLINE_LIMIT)
    await submit_json(sidecar, bundle_of(basic(text)))
    before = spooled(sidecar)

    async def no_room(*_: Any, **__: Any) -> None:
        raise DiskLow

    monkeypatch.setattr(sidecar.bench.queue, "finish_validation", no_room)
    monkeypatch.setattr(sidecar.bench.queue, "retry", no_room)
    await sidecar.drain()
    assert before == spooled(sidecar)


class Failing:
    """An fsync that finds no room after some calls."""

    def __init__(self, after: int) -> None:
        self._left, self._real = after, os.fsync

    def __call__(self, handle: int) -> None:
        """Sync, or fail."""
        self._left -= 1
        if self._left < 0:
            no_space(handle)
        self._real(handle)


def narrative(text: str) -> dict[str, str]:
    """Return a FHIR narrative."""
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>'}


def spooled(sidecar: Rig) -> set[str]:
    """Return the names of all spool files."""
    return {path.name for path in (sidecar.bench.settings.home / "spool").iterdir()}


async def submit_json(sidecar: Rig, value: Any) -> bytes:
    """Submit FHIR and return its id."""

    async def content() -> AsyncIterator[bytes]:
        yield json.dumps(value).encode()

    offer = Offer(patient_id=PATIENT, format=RecordFormat.FHIR_R4_JSON, announced=None, idempotency=None)
    return (await sidecar.intake.take(offer, content())).submission_id


def test_only_a_full_disk_is_called_so() -> None:
    """Other faults of the disk keep their own name."""
    with pytest.raises(DiskLow), disk.full_disk_named():
        no_space(0)
    with pytest.raises(PermissionError), disk.full_disk_named():
        raise PermissionError(errno.EACCES, "no")
