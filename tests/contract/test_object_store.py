"""What every object store must do: the one in memory, and the real gateway with its storage nodes."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING

import pytest
import sr25519

from caregrid.errors import InputEmpty, InputInvalid, InputMissing, ObjectUnknown
from caregrid.storage import (
    DeossStore,
    MemoryObjectStore,
    ObjectStat,
    ObjectStore,
    Placement,
    Repair,
    file_id_of,
)
from caregrid.storage.file_id import FRAGMENT_SIZE
from storage_network import LocalNetwork

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

PAIR = sr25519.pair_from_seed(b"\x01" * 32)
UNKNOWN = b"\x0f" * 32
SIZE = FRAGMENT_SIZE + 100_001
#: Every fragment lives, each on a node of its own.
WHOLE = Placement(needed=4, total=12, living=12, nodes=12)
# Seeded, so that all tests share one object of the network.
CONTENT = random.Random(1).randbytes(SIZE)  # noqa: S311 - no secret


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalNetwork]:
    """A gateway and twelve storage nodes, for all tests of this module."""
    root = tmp_path_factory.mktemp("network")
    with LocalNetwork(root) as running:
        yield running
    shutil.rmtree(root)


@pytest.fixture(params=["memory", "network"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[ObjectStore]:
    """One store of each kind."""
    kind: ObjectStore
    if request.param == "memory":
        kind = MemoryObjectStore()
    else:
        url = request.getfixturevalue("network").gateway_url
        kind = DeossStore(url, PAIR[0], lambda message: sr25519.sign(PAIR, message))
    yield kind
    await kind.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of one and a bit fragments."""
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


async def test_put_names_content_by_its_file_id(store: ObjectStore, source: Path) -> None:
    """The id that comes back is the CESS file id of the content."""
    assert file_id_of(CONTENT) == await store.put(source)


async def test_putting_again_changes_nothing(store: ObjectStore, source: Path) -> None:
    """Storing the same content twice gives the same object."""
    first = await store.put(source)
    assert first == await store.put(source)
    assert ObjectStat(object_id=first, size=SIZE, placement=WHOLE) == await store.stat(first)


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (0, 1),
        (SIZE - 1, 1),
        (12_345, 20_000),
        (FRAGMENT_SIZE - 3, 6),
        (FRAGMENT_SIZE, SIZE - FRAGMENT_SIZE),
        (0, SIZE),
    ],
)
async def test_ranges_are_exact(store: ObjectStore, source: Path, offset: int, length: int) -> None:
    """Any range, across a fragment border too, is the content's bytes at that place."""
    object_id = await store.put(source)
    assert CONTENT[offset : offset + length] == await store.read_range(object_id, offset, length)


async def test_streams_come_in_bounded_chunks(store: ObjectStore, source: Path) -> None:
    """A stream gives the range in chunks of at most 1 MiB, none of them empty."""
    object_id = await store.put(source)
    chunks = [chunk async for chunk in store.stream_range(object_id, 7, SIZE - 7)]
    assert CONTENT[7:] == b"".join(chunks)
    assert all(0 < len(chunk) <= 1024 * 1024 for chunk in chunks)


async def test_a_stream_may_be_left_early(store: ObjectStore, source: Path) -> None:
    """A reader that stops in the middle does no harm to the next one."""
    object_id = await store.put(source)
    async for chunk in store.stream_range(object_id, 0, SIZE):
        assert chunk == CONTENT[: len(chunk)]
        break
    assert CONTENT[:10] == await store.read_range(object_id, 0, 10)


async def test_an_empty_range_is_empty(store: ObjectStore, source: Path) -> None:
    """No bytes asked for, no bytes given."""
    object_id = await store.put(source)
    assert await store.read_range(object_id, 5, 0) == b""


@pytest.mark.parametrize(("offset", "length"), [(SIZE, 1), (SIZE - 1, 2), (0, SIZE + 1), (-1, 2), (0, -1)])
async def test_ranges_outside_the_object_are_refused(
    store: ObjectStore, source: Path, offset: int, length: int
) -> None:
    """A range that is not wholly inside gives an error, never fewer bytes."""
    object_id = await store.put(source)
    with pytest.raises(InputInvalid):
        await store.read_range(object_id, offset, length)


async def test_download_writes_the_whole_object(store: ObjectStore, source: Path, tmp_path: Path) -> None:
    """A downloaded file has the content and replaces what was there; nothing else is left beside it."""
    object_id = await store.put(source)
    target = tmp_path / "folder" / "target"
    target.parent.mkdir()
    target.write_bytes(b"old")
    assert await store.download(object_id, target) == SIZE
    assert {"target": CONTENT} == _contents_of(target.parent)


async def test_unknown_objects(store: ObjectStore, tmp_path: Path) -> None:
    """An object that was never stored is unknown to every read, and a download leaves the old file."""
    target = tmp_path / "target"
    target.write_bytes(b"old")
    with pytest.raises(ObjectUnknown):
        await store.read_range(UNKNOWN, 0, 1)
    with pytest.raises(ObjectUnknown):
        await store.download(UNKNOWN, target)
    assert await store.stat(UNKNOWN) is None
    assert _contents_of(tmp_path) == {"target": b"old"}


async def test_what_cannot_be_stored(store: ObjectStore, tmp_path: Path) -> None:
    """An empty file, a missing one and a directory are told apart."""
    (tmp_path / "empty").touch()
    with pytest.raises(InputEmpty):
        await store.put(tmp_path / "empty")
    with pytest.raises(InputMissing):
        await store.put(tmp_path / "absent")
    with pytest.raises(InputInvalid, match="directory"):
        await store.put(tmp_path)


@pytest.mark.parametrize("object_id", [b"", b"\x0f" * 31, b"\x0f" * 33])
async def test_malformed_ids_are_refused(store: ObjectStore, tmp_path: Path, object_id: bytes) -> None:
    """An id of another length than 32 bytes is refused before anything is asked."""
    with pytest.raises(InputInvalid):
        await store.read_range(object_id, 0, 1)
    with pytest.raises(InputInvalid):
        await store.stat(object_id)
    with pytest.raises(InputInvalid):
        await store.download(object_id, tmp_path / "target")


async def test_trailing_zeros_do_not_pass_for_content(store: ObjectStore, tmp_path: Path) -> None:
    """Content that shares its file id with a stored one of another size is refused, not cut or lengthened."""
    (tmp_path / "short").write_bytes(b"trailing")
    (tmp_path / "long").write_bytes(b"trailing\0")
    object_id = await store.put(tmp_path / "short")
    with pytest.raises(InputInvalid, match="trailing zero"):
        await store.put(tmp_path / "long")
    assert ObjectStat(object_id=object_id, size=8, placement=WHOLE) == await store.stat(object_id)


def _contents_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


async def test_repairing_what_is_whole_changes_nothing(store: ObjectStore, source: Path) -> None:
    """A repair of an object of which nothing is lost rebuilds nothing."""
    assert Repair(rebuilt=0, placement=WHOLE) == await store.repair(await store.put(source))


async def test_an_unknown_object_is_not_repaired(store: ObjectStore) -> None:
    """What is not there is said to be unknown."""
    with pytest.raises(ObjectUnknown):
        await store.repair(UNKNOWN)
