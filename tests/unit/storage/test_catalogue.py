"""The gateway's catalogue: what was recorded is there, whole, after any restart."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from storage_network.gateway.catalogue import Catalogue, Owner, PlacedFragment, PlacedSegment, StoredObject

if TYPE_CHECKING:
    from pathlib import Path

FID = b"\x0f" * 32
ALICE = Owner(account=b"\x0a" * 32, name="0123abcd", territory="caregrid")
BOB = Owner(account=b"\x0b" * 32, name="4567cdef", territory="other")


def _segment_of(seed: int) -> PlacedSegment:
    return tuple(
        PlacedFragment(digest=bytes([seed, index]) * 16, node=f"node-{11 - index:02d}") for index in range(12)
    )


STORED = StoredObject(fid=FID, size=40_000_000, segments=(_segment_of(1), _segment_of(2)))


def test_an_object_survives_reopening(tmp_path: Path) -> None:
    """What was added reads back equal from a catalogue that was opened anew."""
    with closing(Catalogue(tmp_path / "c")) as catalogue:
        catalogue.add(STORED, ALICE)
    with closing(Catalogue(tmp_path / "c")) as catalogue:
        assert catalogue.find(FID) == STORED
        assert STORED.size == catalogue.size(FID)
        assert catalogue.owners(FID) == [ALICE]


def test_unknown_objects_are_none(tmp_path: Path) -> None:
    """A file id that was never stored has neither object nor size nor owners."""
    with closing(Catalogue(tmp_path / "c")) as catalogue:
        assert catalogue.find(FID) is None
        assert catalogue.size(FID) is None
        assert catalogue.owners(FID) == []


def test_a_second_store_keeps_the_first_placement(tmp_path: Path) -> None:
    """Two uploads of one content that ran at once leave the first placement and both owners."""
    other = StoredObject(fid=FID, size=STORED.size, segments=(_segment_of(3), _segment_of(4)))
    with closing(Catalogue(tmp_path / "c")) as catalogue:
        catalogue.add(STORED, ALICE)
        catalogue.add(other, BOB)
        assert catalogue.find(FID) == STORED
        assert catalogue.owners(FID) == [ALICE, BOB]


def test_an_owner_keeps_his_first_name(tmp_path: Path) -> None:
    """Storing the same content again changes nothing for an owner."""
    renamed = Owner(account=ALICE.account, name="another", territory="another")
    with closing(Catalogue(tmp_path / "c")) as catalogue:
        catalogue.add(STORED, ALICE)
        catalogue.add_owner(FID, STORED.size, renamed)
        assert catalogue.owners(FID) == [ALICE]


def test_a_failed_record_leaves_nothing(tmp_path: Path) -> None:
    """An object and its fragments are recorded in one transaction."""
    broken = StoredObject(
        fid=FID,
        size=1,
        segments=(*STORED.segments, (PlacedFragment(digest=None, node="node-00"),)),  # type: ignore[arg-type]
    )
    with closing(Catalogue(tmp_path / "c")) as catalogue:
        with pytest.raises(sqlite3.IntegrityError):
            catalogue.add(broken, ALICE)
        assert catalogue.find(FID) is None
        catalogue.add(STORED, ALICE)
        assert catalogue.find(FID) == STORED


def test_answers_survive_a_power_cut(tmp_path: Path) -> None:
    """Every commit is synced: journal in WAL mode, synchronous FULL (2)."""
    with closing(Catalogue(tmp_path / "c")) as catalogue:
        assert catalogue._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert catalogue._db.execute("PRAGMA synchronous").fetchone() == (2,)
