"""What every object store must do.

The one in memory; the real gateway with its storage nodes, by one address and by two with failover between
them; a gateway that behaves as stock DeOSS, for all that it can answer; and such a one together with a node
that serves the state of the CESS chain.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from contextlib import AsyncExitStack
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
    SizedStream,
    TerritoryState,
    file_id_of,
    open_store,
    reed_solomon,
)
from caregrid.storage.file_id import FRAGMENT_SIZE, SEGMENT_SIZE
from storage_network import LocalNetwork
from storage_network.gateway import territories
from tests.contract.gateways.cess import cess_network
from tests.contract.gateways.stock import stock_gateway
from tests.unit.cess.conftest import serving

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
        given = territories.Territory(account=PAIR[0], name="caregrid", total=1 << 40, deadline=None)
        territories.write(running.node_folder(0).parent / "gateway" / territories.FILE_NAME, [given])
        yield running
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def chain_process() -> Iterator[str]:
    """A process that serves nodes of the CESS chain, for all tests of this module."""
    with serving() as running:
        yield running


@pytest.fixture(params=["memory", "network", "failover", "stock", "cess"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of store."""
    return str(request.param)


#: Only these tell where fragments are, and notice another size.
telling = pytest.mark.parametrize("kind", ["memory", "network", "failover"], indirect=True)


@pytest.fixture
async def store(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[ObjectStore]:
    """One store of each kind."""
    async with AsyncExitStack() as stack:
        if kind == "cess":
            process = request.getfixturevalue("chain_process")
            yield (await stack.enter_async_context(cess_network(process))).store
            return
        if kind == "stock":
            url = (await stack.enter_async_context(stock_gateway())).url
        elif kind != "memory":
            url = request.getfixturevalue("network").gateway_url
        opened: ObjectStore
        if kind == "memory":
            opened = MemoryObjectStore()
        elif kind == "failover":
            opened = open_store([url, url.replace("127.0.0.1", "localhost")], PAIR[0], _sign)
        else:
            opened = DeossStore(url, PAIR[0], _sign)
        stack.push_async_callback(opened.close)
        yield opened


def _sign(message: bytes) -> bytes:
    return bytes(sr25519.sign(PAIR, message))


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
    found = await store.stat(first)
    assert found is not None
    assert (first, SIZE) == (found.object_id, found.size)
    assert found.placement in {None, WHOLE}
    assert not found.restoring


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


@telling
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


@telling
async def test_repairing_what_is_whole_changes_nothing(store: ObjectStore, source: Path) -> None:
    """A repair of an object of which nothing is lost rebuilds nothing."""
    assert Repair(rebuilt=0, placement=WHOLE) == await store.repair(await store.put(source))


@telling
async def test_an_unknown_object_is_not_repaired(store: ObjectStore) -> None:
    """What is not there is said to be unknown."""
    with pytest.raises(ObjectUnknown):
        await store.repair(UNKNOWN)


def _file_of(folder: Path, content: bytes) -> Path:
    path = folder / hashlib.sha256(content).hexdigest()
    path.write_bytes(content)
    return path


async def _once(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 300_007):
        yield content[start : start + 300_007]


async def test_a_stream_is_stored_as_a_file_is(store: ObjectStore) -> None:
    """Content that comes in chunks is the same object."""
    assert file_id_of(CONTENT) == await store.put(SizedStream(chunks=_once(CONTENT), size=SIZE))


async def test_a_stream_must_be_as_long_as_was_said(store: ObjectStore) -> None:
    """Another number of bytes than was announced is refused, and nothing stored."""
    content = b"of another length"
    for size in (len(content) - 1, len(content) + 1):
        with pytest.raises(InputInvalid):
            await store.put(SizedStream(chunks=_once(content), size=size))
    assert await store.stat(file_id_of(content)) is None


async def test_progress_ends_with_everything(store: ObjectStore, source: Path, tmp_path: Path) -> None:
    """Both directions tell that all is done, last and for certain, to functions and to coroutines."""
    seen: list[tuple[int, int]] = []

    async def note(done: int, total: int) -> None:
        seen.append((done, total))

    object_id = await store.put(source, progress=lambda done, total: seen.append((done, total)))
    assert (SIZE, SIZE) == seen[-1]
    seen.clear()
    await store.download(object_id, tmp_path / "target", progress=note)
    assert (SIZE, SIZE) == seen[-1]
    assert sorted(seen) == seen


async def test_a_download_can_be_one_that_resumes(store: ObjectStore, source: Path, tmp_path: Path) -> None:
    """It gives the same file, and leaves nothing beside it."""
    object_id = await store.put(source)
    folder = tmp_path / "folder"
    folder.mkdir()
    assert await store.download(object_id, folder / "target", resume=True) == SIZE
    assert {"target": CONTENT} == _contents_of(folder)


async def test_deleting(store: ObjectStore, tmp_path: Path) -> None:
    """A deleted object is unknown; deleting it again finds nothing; it can be stored again."""
    path = _file_of(tmp_path, b"to be deleted")
    object_id = await store.put(path)
    assert await store.delete(object_id)
    assert await store.stat(object_id) is None
    with pytest.raises(ObjectUnknown):
        await store.read_range(object_id, 0, 1)
    assert not await store.delete(object_id)
    assert object_id == await store.put(path)
    assert await store.read_range(object_id, 0, 5) == b"to be"
    assert await store.delete(object_id)


async def test_lists_are_ordered_and_go_on(store: ObjectStore, tmp_path: Path) -> None:
    """Each stored object is listed once, by id, with its size where that is told, and the space it takes."""
    contents = {file_id_of(each): each for each in (b"list 1", b"list 20", b"list 300")}
    for content in contents.values():
        await store.put(_file_of(tmp_path, content))
    listed = [entry async for entry in store.list()]
    ids = [entry.object_id for entry in listed]
    assert sorted(set(ids)) == ids
    ours = [entry for entry in listed if entry.object_id in contents]
    assert sorted(contents) == [entry.object_id for entry in ours]
    assert all(entry.size in {None, len(contents[entry.object_id])} for entry in ours)
    assert {3 * SEGMENT_SIZE} == {entry.space for entry in ours}
    assert listed[1:] == [entry async for entry in store.list(ids[0])]
    assert [] == [entry async for entry in store.list(b"\xff" * 32)]


async def test_a_list_may_be_left_early(store: ObjectStore, source: Path) -> None:
    """Whoever has seen enough stops."""
    await store.put(source)
    entries = store.list()
    assert (await anext(entries)).object_id
    await entries.aclose()


@telling
@pytest.mark.parametrize("checked", [False, True])
async def test_fragments_are_those_of_cess(store: ObjectStore, source: Path, *, checked: bool) -> None:
    """Every segment has twelve living fragments on twelve nodes, with the digests of CESS's code."""
    found = await store.fragments(await store.put(source), checked=checked)
    assert found is not None
    (segment,) = found
    padded = CONTENT.ljust(SEGMENT_SIZE, b"\0")
    assert hashlib.sha256(padded).digest() == segment.digest
    digests = [hashlib.sha256(each).digest() for each in reed_solomon.encode(padded)]
    assert digests == [each.digest for each in segment.fragments]
    assert [*range(12)] == [each.index for each in segment.fragments]
    assert 12 == len({each.node for each in segment.fragments})
    assert all(each.living for each in segment.fragments)


@telling
async def test_an_unknown_object_has_no_fragments(store: ObjectStore) -> None:
    """What is not there is said to be unknown."""
    with pytest.raises(ObjectUnknown):
        await store.fragments(UNKNOWN)


@telling
async def test_nodes_are_described(store: ObjectStore, source: Path) -> None:
    """Twelve nodes answer, in the order of their names, and tell their space."""
    await store.put(source)
    found = await store.nodes()
    assert found is not None
    assert 12 == len(found)
    assert sorted(each.node for each in found) == [each.node for each in found]
    for each in found:
        assert each.living
        assert each.corrupt == 0
        assert each.fragments
        assert each.bytes_used
        assert each.bytes_free


@telling
async def test_the_territory_is_described(store: ObjectStore, tmp_path: Path) -> None:
    """An object takes three times its padded size of the territory."""
    before = await store.territory()
    object_id = await store.put(_file_of(tmp_path, b"takes space"))
    after = await store.territory()
    await store.delete(object_id)
    assert before is not None
    assert after is not None
    assert TerritoryState.ACTIVE is after.state
    assert 3 * SEGMENT_SIZE == after.used - before.used


@pytest.mark.parametrize("object_id", [b"", b"\x0f" * 31, b"\x0f" * 33])
async def test_malformed_ids_are_refused_everywhere(store: ObjectStore, object_id: bytes) -> None:
    """So they are by what changes or lists."""
    with pytest.raises(InputInvalid):
        await store.delete(object_id)
    with pytest.raises(InputInvalid):
        await store.fragments(object_id)
    with pytest.raises(InputInvalid):
        await store.repair(object_id)
    with pytest.raises(InputInvalid):
        await anext(store.list(object_id))
