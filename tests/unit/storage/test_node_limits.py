"""How much a storage node holds, what it finds when it starts, and what scrubbing finds."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest

from caregrid.errors import DigestMismatch, DiskLow, NotFound
from storage_network.node.fragments import MAX_SET_ASIDE, FragmentStore
from storage_network.node.scrub import Scrubber, ScrubSettings

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 64
#: As fast as it goes; a fragment of 64 bytes is nothing.
FAST = ScrubSettings(period_s=1e-6, max_rate=1 << 40)


def fragment(number: int) -> tuple[bytes, bytes]:
    """Return a fragment's hash and content."""
    content = number.to_bytes(SIZE, "big")
    return hashlib.sha256(content).digest(), content


def opened(folder: Path, limit: int | None = None) -> FragmentStore:
    """Open a node's folder."""
    return FragmentStore(folder, SIZE, max_bytes=limit)


def damage(folder: Path, digest: bytes) -> None:
    """Flip a bit of a fragment's file."""
    path = folder / "fragments" / digest.hex()
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)


def test_a_node_holds_no_more_than_it_may(tmp_path: Path) -> None:
    """The limit counts whole fragments; one that is replaced takes no more, one that goes gives room."""
    store = opened(tmp_path, 2 * SIZE)
    for number in (1, 2, 2):
        store.put(*fragment(number))
    with pytest.raises(DiskLow):
        store.put(*fragment(3))
    assert (2, 0, 2 * SIZE, 2 * SIZE) == _usage(store)
    store.delete(fragment(1)[0])
    store.put(*fragment(3))
    with pytest.raises(NotFound):
        store.read(fragment(1)[0])


def test_a_restarted_node_counts_what_is_there(tmp_path: Path) -> None:
    """What the last process held counts, and a file that a power cut left short is set aside."""
    first = opened(tmp_path)
    for number in range(3):
        first.put(*fragment(number))
    (tmp_path / "fragments" / fragment(0)[0].hex()).write_bytes(b"torn")
    store = opened(tmp_path, 2 * SIZE)
    assert (2, 0, 2 * SIZE, 2 * SIZE) == _usage(store)
    assert 1 == store.usage().corrupt
    with pytest.raises(DiskLow):
        store.put(*fragment(0))


def test_only_some_damaged_files_are_kept(tmp_path: Path) -> None:
    """Damage without end does not fill the disk."""
    store = opened(tmp_path)
    for number in range(MAX_SET_ASIDE + 3):
        digest, content = fragment(number)
        store.put(digest, content)
        damage(tmp_path, digest)
        with pytest.raises(DigestMismatch):
            store.read(digest)
    assert (0, MAX_SET_ASIDE) == (store.usage().fragments, store.usage().corrupt)


async def test_scrubbing_finds_silent_damage(tmp_path: Path) -> None:
    """A pass reads everything, and sets aside what has changed since it was written."""
    store = opened(tmp_path)
    for number in range(5):
        store.put(*fragment(number))
    damage(tmp_path, fragment(3)[0])
    scrubber = Scrubber(store, tmp_path / "scrub", FAST)
    assert await scrubber.scrub()
    assert (5, 1) == (scrubber.checked, scrubber.damaged)
    assert scrubber.finished_at is not None
    with pytest.raises(NotFound):
        store.read(fragment(3)[0])
    store.put(*fragment(3))
    assert 0 == store.usage().corrupt


async def test_a_restarted_scrub_goes_on(tmp_path: Path) -> None:
    """What was read before the restart is not read again in this pass, and is in the next one."""
    store = opened(tmp_path)
    for number in range(5):
        store.put(*fragment(number))
    third = store.digests()[2]
    (tmp_path / "scrub").write_text(third.hex())
    scrubber = Scrubber(store, tmp_path / "scrub", FAST)
    await scrubber.scrub()
    assert 2 == scrubber.checked
    await scrubber.scrub()
    assert 7 == scrubber.checked


async def test_scrubbing_can_be_switched_off(tmp_path: Path) -> None:
    """A period of 0 reads nothing."""
    store = opened(tmp_path)
    store.put(*fragment(1))
    scrubber = Scrubber(store, tmp_path / "scrub", ScrubSettings(period_s=0))
    async with asyncio.timeout(30):
        await scrubber.run()
    assert 0 == scrubber.checked


def _usage(store: FragmentStore) -> tuple[int, int, int, int | None]:
    usage = store.usage()
    return usage.fragments, usage.bytes_free, usage.bytes_used, usage.bytes_limit
