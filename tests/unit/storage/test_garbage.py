"""What becomes of fragments that no object has any more, and of space that objects took."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from caregrid.errors import Conflict, TerritoryUnusable
from storage_network.gateway.catalogue import Catalogue, Owner, PlacedFragment, StoredObject
from storage_network.gateway.garbage import GarbageList
from storage_network.gateway.journal import Journal
from storage_network.gateway.records import SEGMENT_SPACE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NODES = [f"node-{number:02d}" for number in range(12)]
ALICE = Owner(account=b"a" * 32, name="scan", territory="ward")
BOB = Owner(account=b"b" * 32, name="scan", territory="ward")


def digest(name: str) -> bytes:
    """Return something that looks like a hash."""
    return name.encode().ljust(32, b".")


def stored(name: str, size: int = 100) -> StoredObject:
    """Return an object of one segment, a fragment on each node."""
    segment = tuple(
        PlacedFragment(digest=digest(f"{name}-{place}"), node=node) for place, node in enumerate(NODES)
    )
    return StoredObject(fid=digest(name), size=size, segments=(segment,), digests=(digest(f"{name}-s"),))


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    """An empty catalogue."""
    with closing(Catalogue(tmp_path / "catalogue.sqlite")) as opened:
        yield opened


def due(garbage: GarbageList, node: str, now: float = 1e12) -> list[bytes]:
    """Return what is to be deleted from a node by a time."""
    return garbage.due(node, now, 100)


def test_the_last_owner_leaves_garbage(catalogue: Catalogue) -> None:
    """As long as somebody owns an object its fragments stay; then each node's are to be deleted."""
    garbage = GarbageList(catalogue.database)
    catalogue.add(stored("x"), ALICE)
    catalogue.add_owner(digest("x"), 100, BOB)
    assert catalogue.remove_owner(digest("x"), ALICE.account)
    assert 0 == garbage.count()
    assert not catalogue.remove_owner(digest("x"), ALICE.account)
    assert catalogue.remove_owner(digest("x"), BOB.account)
    assert catalogue.find(digest("x")) is None
    assert [[digest(f"x-{place}")] for place in range(12)] == [due(garbage, node) for node in NODES]


def test_what_is_stored_again_is_not_deleted(catalogue: Catalogue) -> None:
    """Garbage that an object has by the time of its deletion is no garbage."""
    garbage = GarbageList(catalogue.database)
    catalogue.add(stored("x"), ALICE)
    catalogue.remove_owner(digest("x"), ALICE.account)
    catalogue.add(stored("x"), BOB)
    assert [] == garbage.unused(NODES[0], due(garbage, NODES[0]))


async def test_an_upload_that_fails_is_cleared_later(catalogue: Catalogue) -> None:
    """What a node got of it becomes garbage, and is left alone until the node cannot be writing any more."""
    garbage = GarbageList(catalogue.database)
    journal = Journal(garbage, abandoned_age_s=1000)

    async def upload() -> None:
        async with journal.batch():
            await journal.intend(NODES[0], digest("x-0"))
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await upload()
    assert 1 == garbage.count()
    assert [] == due(garbage, NODES[0], now=0)
    assert [digest("x-0")] == due(garbage, NODES[0])


async def test_an_upload_that_succeeds_leaves_none(catalogue: Catalogue) -> None:
    """What an object has when its batch ends stays."""
    garbage = GarbageList(catalogue.database)
    journal = Journal(garbage)
    async with journal.batch():
        for place, node in enumerate(NODES):
            await journal.intend(node, digest(f"x-{place}"))
        catalogue.add(stored("x"), ALICE)
    assert 0 == garbage.count()


async def test_a_crash_forgets_nothing(tmp_path: Path) -> None:
    """The next process finds what an upload had begun to write."""
    path = tmp_path / "catalogue.sqlite"
    with closing(Catalogue(path)) as before:
        GarbageList(before.database).intend([(7, NODES[3], digest("x-3"))])
    with closing(Catalogue(path)) as after:
        garbage = GarbageList(after.database)
        await Journal(garbage).recover()
        assert [digest("x-3")] == due(garbage, NODES[3])


async def test_nothing_is_written_while_it_is_deleted(catalogue: Catalogue) -> None:
    """An upload of the same fragment waits until the deletion is through."""
    garbage = GarbageList(catalogue.database)
    journal, order = Journal(garbage), list[str]()

    async def write() -> None:
        async with journal.batch():
            await journal.intend(NODES[0], digest("x-0"))
            order.append("written")

    async def delete(group: asyncio.TaskGroup) -> None:
        async with journal.deleting(NODES[0], [digest("x-0")]) as unused:
            assert [digest("x-0")] == unused
            group.create_task(write())
            while garbage.unused(NODES[0], [digest("x-0")]):  # noqa: ASYNC110 - a file tells
                await asyncio.sleep(0.01)
            order.append("deleted")

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        await delete(group)
    assert ["deleted", "written"] == order


def test_space_is_counted_and_given_back(catalogue: Catalogue) -> None:
    """A segment takes 96 MiB of a territory, however small the object; what does not fit is not recorded."""
    allowed = 2 * SEGMENT_SPACE
    for name in ("x", "y"):
        catalogue.add(stored(name), ALICE, allowed=allowed)
    with pytest.raises(TerritoryUnusable, match="insufficient"):
        catalogue.add(stored("z"), ALICE, allowed=allowed)
    assert catalogue.find(digest("z")) is None
    assert allowed == catalogue.used(ALICE.account, "ward")
    assert 0 == catalogue.used(BOB.account, "ward")
    catalogue.remove_owner(digest("x"), ALICE.account)
    assert SEGMENT_SPACE == catalogue.used(ALICE.account, "ward")
    catalogue.add(stored("z"), ALICE, allowed=allowed)


def test_one_id_has_one_size(catalogue: Catalogue) -> None:
    """Contents that differ by trailing zero bytes only share an id, and the second is refused."""
    catalogue.add(stored("x", 100), ALICE)
    with pytest.raises(Conflict):
        catalogue.add(stored("x", 101), BOB)
    with pytest.raises(Conflict):
        catalogue.add_owner(digest("x"), 101, BOB)
    assert [ALICE] == catalogue.owners(digest("x"))


def test_lists_go_on_behind_an_id(catalogue: Catalogue) -> None:
    """Pages neither repeat nor leave out, and a territory can be asked for."""
    for name in ("a", "b", "c"):
        catalogue.add(stored(name), ALICE)
    catalogue.add(stored("d"), Owner(account=ALICE.account, name="scan", territory="lab"))
    first = catalogue.owned(ALICE.account, limit=2)
    rest = catalogue.owned(ALICE.account, after=first[-1].fid, limit=2)
    assert [digest(name) for name in "abcd"] == [each.fid for each in (*first, *rest)]
    assert [digest("d")] == [each.fid for each in catalogue.owned(ALICE.account, territory="lab", limit=9)]
    assert [] == catalogue.owned(BOB.account, limit=9)


def test_a_batch_that_is_over_notes_nothing_more(catalogue: Catalogue) -> None:
    """What a thread notes that a cancelled request left behind, nobody would settle any more."""
    garbage = GarbageList(catalogue.database)
    garbage.intend([(1, NODES[0], digest("late"))], is_open=lambda _: False)
    assert [digest("late")] == garbage.unused(NODES[0], [digest("late")])
    garbage.intend([(2, NODES[0], digest("late"))], is_open=lambda batch: batch == 2)
    assert [] == garbage.unused(NODES[0], [digest("late")])
