"""Sealing and opening files."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from caregrid.errors import DiskLow, InputInvalid, InputMissing, SealBroken
from caregrid.sealed import (
    SealedFile,
    new_data_key,
    new_record_id,
    open_file,
    open_sealed,
    seal_file,
    sealed_length,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer

KEY: Final = new_data_key()
RECORD: Final = new_record_id()
PLAIN: Final = bytes(range(256)) * 9_000


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_file_goes_and_comes_back(tmp_path: Path, size: int) -> None:
    """Length and digest are those of the bytes on disk, and opening gives the source again."""
    source, sealed, opened = tmp_path / "source", tmp_path / "sealed", tmp_path / "opened"
    source.write_bytes(os.urandom(size))
    result = seal_file(KEY, RECORD, source, sealed)
    on_disk = sealed.read_bytes()
    assert SealedFile(length=len(on_disk), digest=hashlib.sha256(on_disk).digest()) == result
    assert sealed_length(size) == result.length
    assert source.read_bytes() == open_sealed(KEY, RECORD, on_disk)
    assert size == open_file(KEY, RECORD, sealed, opened)
    assert source.read_bytes() == opened.read_bytes()


def test_opened_files_are_private(tmp_path: Path) -> None:
    """Plaintext on disk is readable by its owner only."""
    (tmp_path / "source").write_bytes(b"x")
    seal_file(KEY, RECORD, tmp_path / "source", tmp_path / "sealed")
    open_file(KEY, RECORD, tmp_path / "sealed", tmp_path / "opened")
    assert stat.S_IMODE((tmp_path / "opened").stat().st_mode) == 0o600


def test_a_broken_seal_leaves_no_plaintext(tmp_path: Path) -> None:
    """When the last byte is wrong, the earlier segments do not stay on disk either."""
    (tmp_path / "source").write_bytes(bytes(2_500_000))
    seal_file(KEY, RECORD, tmp_path / "source", tmp_path / "sealed")
    forged = bytearray((tmp_path / "sealed").read_bytes())
    forged[-1] ^= 1
    (tmp_path / "sealed").write_bytes(forged)
    with pytest.raises(SealBroken):
        open_file(KEY, RECORD, tmp_path / "sealed", tmp_path / "opened")
    assert {"source", "sealed"} == {path.name for path in tmp_path.iterdir()}


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No space left becomes DiskLow; neither target nor a part of it remains."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    (tmp_path / "source").write_bytes(b"x")
    with pytest.raises(DiskLow):
        seal_file(KEY, RECORD, tmp_path / "source", tmp_path / "sealed")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_other_disk_faults_are_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that is not a full disk comes through as it is."""

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    (tmp_path / "source").write_bytes(b"x")
    with pytest.raises(OSError, match="Input/output"):
        seal_file(KEY, RECORD, tmp_path / "source", tmp_path / "sealed")


def test_an_existing_target_is_replaced_whole(tmp_path: Path) -> None:
    """Sealing again after a crash starts over; the old target is gone at once, not mixed in."""
    (tmp_path / "source").write_bytes(b"new")
    (tmp_path / "sealed").write_bytes(bytes(1000))
    seal_file(KEY, RECORD, tmp_path / "source", tmp_path / "sealed")
    assert open_sealed(KEY, RECORD, (tmp_path / "sealed").read_bytes()) == b"new"


def test_paths_that_do_not_work_are_told(tmp_path: Path) -> None:
    """A missing source, a folder as source and a missing target folder each get their own advice."""
    (tmp_path / "source").write_bytes(b"x")
    with pytest.raises(InputMissing):
        seal_file(KEY, RECORD, tmp_path / "absent", tmp_path / "sealed")
    with pytest.raises(InputInvalid, match="readable file"):
        seal_file(KEY, RECORD, tmp_path, tmp_path / "sealed")
    with pytest.raises(InputInvalid, match="create it first"):
        seal_file(KEY, RECORD, tmp_path / "source", tmp_path / "absent" / "sealed")


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """A 64 MiB file is sealed and opened within 8 MiB of memory."""
    source = tmp_path / "source"
    with source.open("wb") as file:
        file.truncate(64 << 20)
    tracemalloc.start()
    try:
        seal_file(KEY, RECORD, source, tmp_path / "sealed")
        open_file(KEY, RECORD, tmp_path / "sealed", tmp_path / "opened")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


class Trickle(io.RawIOBase):
    """A file that takes a few bytes at a time, as a pipe may."""

    def __init__(self, step: int) -> None:
        self.content, self._step = bytearray(), step

    def writable(self) -> bool:
        """It is for writing."""
        return True

    def write(self, data: Buffer, /) -> int:
        """Take fewer bytes than given."""
        self.content += memoryview(data)[: self._step]
        return min(len(memoryview(data)), self._step)


def test_open_files_are_read_and_written_where_they_stand(tmp_path: Path) -> None:
    """A file object keeps what is before its position, gets all of the record, and stays open."""
    plain = os.urandom(1_500_000)
    (tmp_path / "source").write_bytes(b"skipped" + plain)
    with (tmp_path / "source").open("rb") as source, (tmp_path / "sealed").open("wb+") as sealed:
        source.seek(7)
        sealed.write(b"before")
        written = seal_file(KEY, RECORD, source, sealed)
        assert sealed_length(len(plain)) == written.length == sealed.tell() - 6
        sealed.seek(6)
        assert written.digest == hashlib.sha256(sealed.read()).digest()
        sealed.seek(6)
        target = io.BytesIO()
        assert len(plain) == open_file(KEY, RECORD, sealed, target)
        assert plain == target.getvalue()
        assert not source.closed


def test_short_writes_are_carried_on(tmp_path: Path) -> None:
    """A target that takes a part at a time gets all; one that takes none right now is refused."""
    (tmp_path / "source").write_bytes(PLAIN)
    slow = Trickle(40_007)
    seal_file(KEY, RECORD, tmp_path / "source", slow)
    assert open_sealed(KEY, RECORD, slow.content) == PLAIN
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with (
        os.fdopen(reading, "rb", 0),
        os.fdopen(writing, "wb", 0) as target,
        pytest.raises(InputInvalid, match="right now"),
    ):
        seal_file(KEY, RECORD, tmp_path / "source", target)


def test_a_full_disk_behind_an_open_file() -> None:
    """It has the same name there."""
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(DiskLow):
        seal_file(KEY, RECORD, io.BytesIO(PLAIN), full)
