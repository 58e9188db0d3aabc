"""The list of erasures in the home folder: whole lines, whatever happened to the file."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from caregrid.errors import DiskLow
from ocw_sidecar.adapters.erasure_list import KEPT, LIST_FILE, ErasureFile

if TYPE_CHECKING:
    from pathlib import Path

IDS = [bytes([number]) * 16 for number in range(8)]


def test_what_is_added_is_there_in_order(tmp_path: Path) -> None:
    """For another process, too; the file is its owner's alone."""
    listed = ErasureFile(tmp_path)
    assert [] == list(listed.ids())
    for each in IDS:
        listed.add(each)
    assert IDS == list(ErasureFile(tmp_path).ids())
    assert 0o600 == stat.S_IMODE((tmp_path / LIST_FILE).stat().st_mode)


@pytest.mark.parametrize(
    "damage",
    [b"1 00", b"1 " + b"00" * 16 + b" 0000000000000000\n", b"\xff\xfe\n", b"x" * 10_000 + b"\n", b"\n"],
)
def test_damaged_lines_are_passed_over(tmp_path: Path, damage: bytes) -> None:
    """A torn, altered, alien or endless line costs no other one."""
    listed, path = ErasureFile(tmp_path), tmp_path / LIST_FILE
    listed.add(IDS[0])
    path.write_bytes(path.read_bytes() + damage)
    listed.add(IDS[1])
    assert IDS[:2] == list(listed.ids())


def test_the_files_are_bounded(tmp_path: Path) -> None:
    """A full one is set aside, and the oldest goes; the youngest ids are always there."""
    listed = ErasureFile(tmp_path, limit=100)
    for number in range(40):
        listed.add(bytes([number]) * 16)
    found = list(listed.ids())
    assert [bytes([number]) * 16 for number in range(40 - len(found), 40)] == found
    assert KEPT + 1 == len(list(tmp_path.iterdir()))


def test_beginning_a_list_keeps_the_one_that_is_there(tmp_path: Path) -> None:
    """It only makes an empty one where there is none."""
    listed = ErasureFile(tmp_path)
    assert not listed.is_there()
    listed.begin()
    assert listed.is_there()
    listed.add(IDS[0])
    listed.begin()
    assert IDS[:1] == list(listed.ids())


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that did not fit is an error, never a decision that nobody can replay."""
    listed = ErasureFile(tmp_path)
    listed.add(IDS[0])
    with monkeypatch.context() as full:
        write = os.write
        full.setattr(os, "write", lambda handle, content: write(handle, content[:10]))
        with pytest.raises(DiskLow):
            listed.add(IDS[1])
    listed.add(IDS[2])
    assert [IDS[0], IDS[2]] == list(listed.ids())
