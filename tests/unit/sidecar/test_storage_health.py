"""How well objects are stored."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from caregrid.errors import FragmentsMissing, StorageUnreachable, TerritoryUnusable
from caregrid.storage import ObjectStat, Placement, Territory, TerritoryState
from caregrid.storage.health import GONE
from caregrid.testing import SubmitFault
from ocw_sidecar.notifications.items import NoticeKind
from ocw_sidecar.testing import ORGANISATION
from ocw_sidecar.workers.storage_health import StorageHealthWorker, measured
from ocw_sidecar.workers.storage_sample import weighted_sample
from tests.unit.sidecar.worker_world import Working, mine, working

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from caregrid.chain.port import StoredObject
    from caregrid.storage import Progress, Source
    from ocw_sidecar.ledger.items import KnownObject

OBJECT = b"\x0b" * 32


def test_what_is_not_told_is_not_reported() -> None:
    """A gateway that tells no placement gives no health; an object that is gone has none left."""
    assert measured(ObjectStat(object_id=OBJECT, size=1)) is None
    assert GONE == measured(None)


def test_samples_favour_what_was_not_looked_at_for_long() -> None:
    """Weights are ages: nine in ten draws take the object that is nine times older."""
    items: list[KnownObject] = [object(), object()]  # type: ignore[list-item] # the sample looks at the weights only
    first = sum(weighted_sample(items, [900, 100], 1) == items[:1] for _ in range(2_000))
    assert 1_700 < first < 1_900
    assert items == sorted(weighted_sample(items, [1, 1], 5), key=items.index)


@pytest.fixture
async def sidecar(tmp_path: Path) -> AsyncIterator[Working]:
    """A sidecar with one object."""
    async with working(tmp_path) as opened:
        await opened.store(b"one", b"two")
        yield opened


async def the_object(sidecar: Working) -> StoredObject:
    """Return the one object as the chain has it."""
    [known] = await sidecar.parts.desk.ledger.longest_unlooked(10)
    stored = await sidecar.world.chain.stored_object(known.object_id)
    assert stored is not None
    return stored


async def troubles(sidecar: Working) -> int:
    """Return how often the organisation was told of storage trouble."""
    page = await sidecar.parts.desk.notices.after(ORGANISATION, None, 100)
    return sum(posted.notice.kind is NoticeKind.STORAGE_TROUBLE for posted in page.items)


async def test_health_goes_on_the_chain(sidecar: Working) -> None:
    """A sound object is reported as such, and the ledger takes the report in."""
    height = await sidecar.follow()
    done = await StorageHealthWorker(sidecar.parts.desk).run(height)
    assert {"looked": 1, "unreachable": 0, "untold": 0, "reported": 1, "troubled": 0, "repaired": 0} == done
    health = (await the_object(sidecar)).health
    assert health is not None
    assert (1_000_000, 3, 12) == (health.health, health.replicas, health.nodes)
    assert 0 == await troubles(sidecar)


async def test_trouble_is_told_once_a_day(sidecar: Working) -> None:
    """Too few copies' worth are told of, not at every look."""
    for _ in range(3):
        sidecar.world.store.placement = Placement(needed=4, total=12, living=9, nodes=9)
        done = await StorageHealthWorker(sidecar.parts.desk).run(await sidecar.follow())
        assert 1 == done["troubled"]
    assert 1 == await troubles(sidecar)


async def test_a_lost_object_is_reported(sidecar: Working) -> None:
    """What the network does not know any more has no health."""
    await sidecar.world.store.close()
    await StorageHealthWorker(sidecar.parts.desk).run(await sidecar.follow())
    health = (await the_object(sidecar)).health
    assert health is not None
    assert (0, 0, 0) == (health.health, health.replicas, health.nodes)
    assert 1 == await troubles(sidecar)


async def test_a_report_that_went_through_unheard_is_not_repeated(sidecar: Working) -> None:
    """A run that is done again as of the same block finds its report on the chain."""
    height, worker = await sidecar.follow(), StorageHealthWorker(sidecar.parts.desk)
    sidecar.world.submitter.faults.append(SubmitFault.UNHEARD)
    with pytest.raises(Exception, match="outcome is unknown"):
        await worker.run(height)
    sent = sidecar.world.submitter.submitted
    assert 0 == (await worker.run(height))["reported"]
    assert sent == sidecar.world.submitter.submitted


async def test_without_storage_the_run_fails(sidecar: Working, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that does not answer is no verdict on any object; nor is one that answers too late."""
    height, worker = await sidecar.follow(), StorageHealthWorker(sidecar.parts.desk)

    async def unreachable(_object_id: bytes) -> ObjectStat:
        raise StorageUnreachable

    monkeypatch.setattr(sidecar.world.store, "stat", unreachable)
    with pytest.raises(StorageUnreachable):
        await worker.run(height)
    assert (await the_object(sidecar)).health is None


async def test_a_gateway_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each object has its deadline."""
    async with working(tmp_path, workers={"storage_health": {"timeout_s": 0.02}}) as sidecar:
        await sidecar.store(b"one")

        async def hang(_object_id: bytes) -> ObjectStat:
            await asyncio.Event().wait()
            raise AssertionError

        monkeypatch.setattr(sidecar.world.store, "stat", hang)
        with pytest.raises(StorageUnreachable):
            await StorageHealthWorker(sidecar.parts.desk).run(await sidecar.follow())


async def test_each_object_gets_its_turn(tmp_path: Path) -> None:
    """Half a sample is what was not looked at for longest, so no object is left out for ever."""
    async with working(tmp_path, workers={"storage_health": {"sample": 2}}) as sidecar:
        for content in (b"one", b"two", b"three", b"four", b"five"):
            await sidecar.store(content)
        for _ in range(5):
            mine(sidecar.world, 1)
            await StorageHealthWorker(sidecar.parts.desk).run(await sidecar.follow())
        known = await sidecar.parts.desk.ledger.longest_unlooked(10)
        assert 5 == len(known)
        assert all(each.looked_at > each.stored_at for each in known)


async def test_what_is_missed_twice_is_repaired(sidecar: Working) -> None:
    """A node that restarts is no reason; one that stays away is, and the chain learns of both."""
    sidecar.world.store.placement = Placement(needed=4, total=12, living=11, nodes=11)
    worker = StorageHealthWorker(sidecar.parts.desk)
    assert 0 == (await worker.run(await sidecar.follow()))["repaired"]
    done = await worker.run(await sidecar.follow())
    assert (1, 2) == (done["repaired"], done["reported"])
    health = (await the_object(sidecar)).health
    assert health is not None
    assert (1_000_000, 3, 12) == (health.health, health.replicas, health.nodes)


async def test_what_is_almost_lost_is_repaired_at_once(sidecar: Working) -> None:
    """Below the set health nobody waits for a second look."""
    sidecar.world.store.placement = Placement(needed=4, total=12, living=5, nodes=5)
    assert 1 == (await StorageHealthWorker(sidecar.parts.desk).run(await sidecar.follow()))["repaired"]
    assert 12 == sidecar.world.store.placement.living


async def test_what_cannot_be_repaired_stays_trouble(sidecar: Working) -> None:
    """Too little is left: that is logged and told, and the run goes on."""
    sidecar.world.store.placement = Placement(needed=4, total=12, living=3, nodes=3)
    done = await StorageHealthWorker(sidecar.parts.desk).run(await sidecar.follow())
    assert (1, 0) == (done["troubled"], done["repaired"])


async def test_a_repair_that_did_not_help_is_not_repeated_at_once(
    sidecar: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads the whole object each time: the next one waits for the set number of blocks."""
    asked: list[bytes] = []

    async def vain(object_id: bytes) -> None:
        asked.append(object_id)
        raise FragmentsMissing

    monkeypatch.setattr(sidecar.world.store, "repair", vain)
    sidecar.world.store.placement = Placement(needed=4, total=12, living=5, nodes=5)
    worker = StorageHealthWorker(sidecar.parts.desk)
    for _ in range(3):
        await worker.run(await sidecar.follow())
    assert 1 == len(asked)
    mine(sidecar.world, 600)
    await worker.run(await sidecar.follow())
    assert 2 == len(asked)


async def test_what_is_in_trouble_is_looked_at_until_it_is_sound(tmp_path: Path) -> None:
    """However many other objects there are; a sound look ends it."""
    async with working(tmp_path, workers={"storage_health": {"sample": 2}}) as sidecar:
        for content in (b"one", b"two", b"three", b"four", b"five"):
            await sidecar.store(content)
        book, [known, *_] = sidecar.parts.desk.storage, await sidecar.parts.desk.ledger.longest_unlooked(1)
        await book.note_looks(troubled=[known.object_id], sound=[], height=1)
        await sidecar.parts.desk.ledger.note_looked([known.object_id], await sidecar.follow())
        await StorageHealthWorker(sidecar.parts.desk).run(await sidecar.follow())
        assert {} == await book.troubles([known.object_id])


async def test_a_territory_that_runs_out_is_told_of_once_a_day(
    sidecar: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Space and time each have a code; the numbers are among the metrics."""

    async def low() -> Territory:
        return Territory(
            name="caregrid",
            total=1 << 40,
            used=(1 << 40) - 5,
            remaining=5,
            state=TerritoryState.ACTIVE,
            deadline=sidecar.time.now + timedelta(days=3),
        )

    monkeypatch.setattr(sidecar.world.store, "territory", low)
    for _ in range(2):
        await StorageHealthWorker(sidecar.parts.desk).run(await sidecar.follow())
    page = await sidecar.parts.desk.notices.after(ORGANISATION, None, 100)
    codes = [posted.notice.facts.get("code") for posted in page.items]
    assert ["TERRITORY_EXPIRY", "TERRITORY_SPACE"] == sorted(str(code) for code in codes if code)
    shown = sidecar.parts.desk.metrics.render().decode()
    assert 'caregrid_storage_territory_bytes{kind="remaining"} 5.0' in shown


async def test_a_territory_that_is_missing_is_told_of(
    sidecar: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before an upload is refused, and once a day; objects are looked at all the same."""

    async def missing() -> Territory:
        raise TerritoryUnusable

    monkeypatch.setattr(sidecar.world.store, "territory", missing)
    worker = StorageHealthWorker(sidecar.parts.desk)
    for _ in range(2):
        assert 1 == (await worker.run(await sidecar.follow()))["looked"]
    assert 1 == await troubles(sidecar)


async def test_refused_uploads_are_told_of_where_territories_are_not(
    sidecar: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only sign on such a network; one that requires no territory is no trouble."""

    async def unlimited() -> Territory:
        return Territory(
            name="caregrid",
            total=1,
            used=1,
            remaining=0,
            state=TerritoryState.ACTIVE,
            deadline=None,
            unlimited=True,
        )

    async def untold() -> None:
        return None

    async def refuse(_source: Source, *, progress: Progress | None = None) -> bytes:
        assert progress is None
        raise TerritoryUnusable

    worker = StorageHealthWorker(sidecar.parts.desk)
    for told in (unlimited, untold):
        monkeypatch.setattr(sidecar.world.store, "territory", told)
        assert 1 == (await worker.run(await sidecar.follow()))["looked"]
        assert 0 == await troubles(sidecar)
    monkeypatch.setattr(sidecar.world.store, "put", refuse)
    await sidecar.submit(b"three")
    await sidecar.rig.drain()
    for _ in range(2):
        assert 1 == (await worker.run(await sidecar.follow()))["looked"]
    assert 1 == await troubles(sidecar)


async def test_a_territory_that_cannot_be_asked_about_holds_up_nothing(
    sidecar: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is logged, and no notice."""

    async def unreachable() -> Territory:
        raise StorageUnreachable

    monkeypatch.setattr(sidecar.world.store, "territory", unreachable)
    assert 1 == (await StorageHealthWorker(sidecar.parts.desk).run(await sidecar.follow()))["reported"]
    assert 0 == await troubles(sidecar)


async def test_thinly_stored_objects_are_counted(sidecar: Working) -> None:
    """For an alarm: how many there are, and how bad the worst is."""
    sidecar.world.store.placement = Placement(needed=4, total=12, living=10, nodes=10)
    await StorageHealthWorker(sidecar.parts.desk).run(await sidecar.follow())
    shown = sidecar.parts.desk.metrics.render().decode()
    assert "caregrid_storage_troubled_objects 1.0" in shown
    assert "caregrid_storage_worst_health 0.75" in shown
