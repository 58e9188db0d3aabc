"""Fragments that get another home in the catalogue, and nodes that are drained."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from caregrid.errors import ConfigInvalid
from storage_network import drains as program
from storage_network.gateway.catalogue import Catalogue
from storage_network.gateway.drains import FILE_NAME, Drains, read, write
from storage_network.gateway.garbage import GarbageList
from storage_network.gateway.moves import Homed, MoveList
from storage_network.gateway.records import Owner, PlacedFragment, StoredObject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWNER = Owner(account=b"\x01" * 32, name="scan", territory="ward")
NODES = [f"node-{number:02d}" for number in range(12)]


def stored(number: int, digests: int = 12) -> StoredObject:
    """Return an object of one segment on twelve nodes."""
    placed = tuple(
        PlacedFragment(digest=bytes([number, position % digests]) * 16, node=node)
        for position, node in enumerate(NODES)
    )
    return StoredObject(fid=bytes([number]) * 32, size=100, segments=(placed,), digests=(b"\x00" * 32,))


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    """One that knows three objects."""
    opened = Catalogue(tmp_path / "catalogue.sqlite")
    for number in (1, 2, 3):
        opened.add(stored(number), OWNER)
    yield opened
    opened.close()


@pytest.fixture
def moves(catalogue: Catalogue) -> MoveList:
    """Its homes."""
    return MoveList(catalogue.database)


def homes(catalogue: Catalogue, number: int) -> list[str]:
    """Return the homes of an object's fragments."""
    found = catalogue.find(bytes([number]) * 32)
    assert found is not None
    return [each.node for each in found.segments[0]]


def test_a_switch_leaves_the_former_home_for_later(catalogue: Catalogue, moves: MoveList) -> None:
    """The fragment is at its new home, and deleted at the old one only from a time on."""
    [fragment, *_] = moves.page("node-03", None, 10)
    assert moves.switch(fragment, "spare", due=100.0)
    assert "spare" == homes(catalogue, fragment.fid[0])[3]
    garbage = GarbageList(catalogue.database)
    assert [] == garbage.due("node-03", 99.0, 10)
    assert [fragment.digest] == garbage.due("node-03", 100.0, 10)
    assert (2, 1) == (moves.count("node-03"), moves.count("spare"))


def test_what_changed_meanwhile_is_not_switched(catalogue: Catalogue, moves: MoveList) -> None:
    """A repair moved it, its object is gone, or another fragment of its segment is there by now."""
    first, second, third = moves.page("node-03", None, 10)
    catalogue.move(first.fid, [(0, 3, "repaired")])
    assert not moves.switch(first, "spare", due=0.0)
    assert "repaired" == homes(catalogue, first.fid[0])[3]
    catalogue.remove_owner(second.fid, OWNER.account)
    assert not moves.switch(second, "spare", due=0.0)
    assert not moves.switch(third, "node-04", due=0.0)
    assert NODES == homes(catalogue, third.fid[0])
    assert set() == moves.holders(second)


def test_what_another_object_has_there_stays(catalogue: Catalogue, moves: MoveList) -> None:
    """Two objects share a fragment on one node; when one has moved, the other's is no garbage."""
    shared = stored(1).segments[0]
    catalogue.add(
        StoredObject(fid=b"\x09" * 32, size=100, segments=(shared,), digests=(b"\x00" * 32,)), OWNER
    )
    fragment = next(each for each in moves.page("node-03", None, 10) if each.fid == b"\x09" * 32)
    assert moves.switch(fragment, "spare", due=0.0)
    assert [] == GarbageList(catalogue.database).unused("node-03", [fragment.digest])


def test_pages_bring_everything_once(catalogue: Catalogue, moves: MoveList) -> None:
    """In any size, also of fragments that are equal."""
    catalogue.add(
        StoredObject(
            fid=b"\x08" * 32,
            size=100,
            segments=tuple(stored(7, digests=1).segments[0] for _ in range(3)),
            digests=(b"\x00" * 32,) * 3,
        ),
        OWNER,
    )
    for limit in (1, 2, 100):
        found: list[Homed] = []
        while page := moves.page("node-05", found[-1] if found else None, limit):
            found += page
        assert 6 == len(found) == len(set(found)) == moves.count("node-05")


def test_only_what_fits_is_chosen_for_a_node(moves: MoveList) -> None:
    """A node that holds a fragment of each segment gets none; another one any."""
    assert moves.any_that_fits("node-03", "node-04") is None
    chosen = moves.any_that_fits("node-03", "spare")
    assert chosen in moves.page("node-03", None, 10)
    assert moves.any_that_fits("node-99", "spare") is None


def test_nodes_are_drained_by_a_program(
    catalogue: Catalogue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gateway takes a change in; the program tells what is left on each."""
    drains = Drains(tmp_path / FILE_NAME)
    assert frozenset() == drains.nodes()
    root = ["--root", str(tmp_path)]
    assert [0, 0] == [program.main([*root, "start", node]) for node in ("node-03", "node-99")]
    assert {"node-03", "node-99"} == drains.nodes()
    assert 0 == program.main([*root, "list"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [{"node": "node-03", "fragments": 3}, {"node": "node-99", "fragments": 0}] == lines
    assert 0 == program.main([*root, "stop", "node-03"])
    assert {"node-99"} == drains.nodes()
    assert catalogue.find(b"\x01" * 32) is not None


def test_bad_drains_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A node that is not drained, a name that is none, a folder that is no gateway's."""
    root = ["--root", str(tmp_path)]
    assert program.main([*root, "stop", "node-03"])
    assert program.main([*root, "start", ""])
    write(tmp_path / FILE_NAME, ["node-03"])
    assert program.main([*root, "list"])
    assert "check --root" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", "[1]", '["\\u0007"]', "5"])
def test_a_spoilt_file_changes_nothing(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    """The program says so; the gateway logs it and goes on as before."""
    path = tmp_path / FILE_NAME
    write(path, ["node-03"])
    drains = Drains(path)
    assert {"node-03"} == drains.nodes()
    path.unlink()
    path.write_text(text)
    with pytest.raises(ConfigInvalid):
        read(path)
    assert {"node-03"} == drains.nodes()
    assert "drains_not_read" in caplog.text
