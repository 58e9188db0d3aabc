"""The local storage network as real processes on real disks, under faults."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import shutil
import signal
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import aiohttp
import base58
import pytest
import sr25519
from scalecodec.utils.ss58 import ss58_encode

from caregrid.errors import ConfigInvalid, FragmentsMissing, PortTaken, StorageUnreachable, Unauthorised
from caregrid.storage import DeossStore, Placement, Repair, file_id_of
from caregrid.storage.file_id import FRAGMENT_SIZE, SEGMENT_SIZE
from storage_network import LocalNetwork
from storage_network.gateway.catalogue import Catalogue
from storage_network.gateway.node_client import DOWN_MEMORY_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from storage_network.gateway.catalogue import StoredObject

PAIR = sr25519.pair_from_seed(b"\x01" * 32)
OTHER_PAIR = sr25519.pair_from_seed(b"\x02" * 32)
MIB = 1024 * 1024
SIZE = 40 * MIB
CONTENT = random.Random(2).randbytes(SIZE)  # noqa: S311 - no secret
FID = file_id_of(CONTENT)
WHOLE = Placement(needed=4, total=12, living=12, nodes=12)
#: Where ranges begin: in data fragments 0 and 3 of the first segment, on the segments' border, at the end.
OFFSETS = [12_345, 30 * MIB, SEGMENT_SIZE - 500, SIZE - 1000]


@pytest.fixture
def network(tmp_path: Path) -> Iterator[LocalNetwork]:
    """A gateway and twelve storage nodes of one's own."""
    root = tmp_path / "network"
    with LocalNetwork(root) as running:
        yield running
    shutil.rmtree(root)


@pytest.fixture
async def store(network: LocalNetwork) -> AsyncIterator[DeossStore]:
    """A client of the network."""
    client = _client(network)
    yield client
    await client.close()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Path]:
    """A file of 40 MiB: two segments, the second with one data fragment."""
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    yield path
    path.unlink()


def _client(network: LocalNetwork, pair: Any = PAIR) -> DeossStore:
    return DeossStore(network.gateway_url, pair[0], lambda message: sr25519.sign(pair, message))


def _identity(message: str | None = None) -> dict[str, str]:
    text = message or str(int(time.time()) + 60)
    signature = base58.b58encode(sr25519.sign(PAIR, text.encode())).decode()
    return {"Account": ss58_encode(PAIR[0], 11330), "Message": text, "Signature": signature, "Territory": "t"}


async def _require_readable(store: DeossStore, folder: Path) -> None:
    assert await store.download(FID, folder / "target") == SIZE
    assert (folder / "target").read_bytes() == CONTENT
    (folder / "target").unlink()
    for offset in OFFSETS:
        assert CONTENT[offset : offset + 1000] == await store.read_range(FID, offset, 1000)


def _placement(network: LocalNetwork) -> StoredObject:
    # The gateway's own file; SQLite lets a second process read it.
    with closing(Catalogue(network.node_folder(0).parent / "gateway" / "catalogue.sqlite")) as catalogue:
        stored = catalogue.find(FID)
    assert stored is not None
    return stored


def _fragment_file(network: LocalNetwork, segment: int, index: int) -> Path:
    fragment = _placement(network).segments[segment][index]
    return network.node_folder(int(fragment.node[-2:])) / "fragments" / fragment.digest.hex()


def _flip_bit(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def _fragments_on(network: LocalNetwork) -> int:
    return sum(len(list((network.node_folder(number) / "fragments").iterdir())) for number in range(12))


async def test_objects_survive_any_eight_nodes(
    network: LocalNetwork, store: DeossStore, source: Path, tmp_path: Path
) -> None:
    """With eight of twelve nodes killed everything reads; with nine it is an error, and no bytes."""
    assert await store.put(source) == FID
    await _require_readable(store, tmp_path)
    doomed = random.Random(3).sample(range(12), 9)  # noqa: S311 - no secret
    for number in doomed[:8]:
        network.kill_node(number)
    await _require_readable(store, tmp_path)
    network.kill_node(doomed[8])
    with pytest.raises(FragmentsMissing):
        await store.download(FID, tmp_path / "target")
    dead = {f"node-{number:02d}" for number in doomed}
    lost = next(
        index for index, fragment in enumerate(_placement(network).segments[0]) if fragment.node in dead
    )
    with pytest.raises(FragmentsMissing):
        await store.read_range(FID, lost * FRAGMENT_SIZE, 10)
    network.restart_node(doomed[8])
    await _require_readable(store, tmp_path)


async def test_a_repair_rebuilds_what_is_lost_and_what_is_damaged(
    network: LocalNetwork, store: DeossStore, source: Path
) -> None:
    """Eight of a segment's fragments deleted or damaged: a repair brings back all of them, as they were."""
    await store.put(source)
    for index in range(4):
        _fragment_file(network, 0, index).unlink()
    for index in range(4, 8):
        # As a disk does it: nothing but the content changes.
        file = _fragment_file(network, 0, index)
        before = file.stat()
        _flip_bit(file, 4242)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    repair = await store.repair(FID)
    assert repair == Repair(rebuilt=8, placement=WHOLE)
    for index in range(12):
        content = _fragment_file(network, 0, index).read_bytes()
        assert _placement(network).segments[0][index].digest == hashlib.sha256(content).digest()
    assert Repair(rebuilt=0, placement=WHOLE) == await store.repair(FID)


async def test_a_repair_never_puts_two_fragments_of_a_segment_on_one_node(
    network: LocalNetwork, store: DeossStore, source: Path
) -> None:
    """With a node gone there is no twelfth home: its fragments stay lost until it is back, and empty."""
    await store.put(source)
    network.kill_node(3)
    repair = await store.repair(FID)
    assert repair == Repair(rebuilt=0, placement=Placement(needed=4, total=12, living=11, nodes=11))
    shutil.rmtree(network.node_folder(3) / "fragments")
    network.restart_node(3)
    await asyncio.sleep(DOWN_MEMORY_S)
    assert Repair(rebuilt=2, placement=WHOLE) == await store.repair(FID)


async def test_what_cannot_be_restored_does_not_keep_the_rest_from_repair(
    network: LocalNetwork, store: DeossStore, source: Path
) -> None:
    """Nine fragments of one segment are lost for ever; the other segment is repaired all the same."""
    await store.put(source)
    for index in range(9):
        _fragment_file(network, 0, index).unlink()
    _fragment_file(network, 1, 5).unlink()
    with pytest.raises(FragmentsMissing):
        await store.repair(FID)
    assert _fragment_file(network, 1, 5).exists()


async def test_only_an_owner_has_an_object_repaired(
    network: LocalNetwork, store: DeossStore, source: Path
) -> None:
    """A repair costs the network work; who did not store the object cannot ask for it."""
    await store.put(source)
    stranger = _client(network, OTHER_PAIR)
    with pytest.raises(Unauthorised):
        await stranger.repair(FID)
    await stranger.close()


async def test_twelve_fragments_on_twelve_nodes(
    network: LocalNetwork, store: DeossStore, source: Path
) -> None:
    """Every fragment of a segment is a plain file with its own hash on a node of its own."""
    await store.put(source)
    stored = _placement(network)
    assert len(stored.segments) == 2
    for number, segment in enumerate(stored.segments):
        assert len({fragment.node for fragment in segment}) == 12
        for index, fragment in enumerate(segment):
            content = _fragment_file(network, number, index).read_bytes()
            assert hashlib.sha256(content).digest() == fragment.digest
    assert _fragment_file(network, 0, 0).read_bytes() == CONTENT[:FRAGMENT_SIZE]


async def test_damaged_fragments_are_worked_around(
    network: LocalNetwork, store: DeossStore, source: Path, tmp_path: Path
) -> None:
    """Flipped bits and a deleted file on the nodes' disks never reach a reader, whole or in part."""
    await store.put(source)
    _flip_bit(_fragment_file(network, 0, 0), OFFSETS[0])
    _flip_bit(_fragment_file(network, 0, 3), FRAGMENT_SIZE - 1)
    _fragment_file(network, 1, 0).unlink()
    for offset in OFFSETS:
        assert CONTENT[offset : offset + 1000] == await store.read_range(FID, offset, 1000)
    await _require_readable(store, tmp_path)


async def test_damage_found_in_mid_download_is_named(
    network: LocalNetwork, store: DeossStore, source: Path, tmp_path: Path
) -> None:
    """When the last segment is lost, a download that has begun still ends in the right error."""
    await store.put(source)
    for index in range(9):
        _flip_bit(_fragment_file(network, 1, index), 0)
    with pytest.raises(FragmentsMissing):
        await store.download(FID, tmp_path / "target")
    assert not (tmp_path / "target").exists()


async def test_a_hanging_node_does_not_stop_reads(
    network: LocalNetwork, store: DeossStore, source: Path, tmp_path: Path
) -> None:
    """A node that accepts connections and never answers costs a few seconds, not the read."""
    await store.put(source)
    home = _placement(network).segments[0][0].node
    os.kill(network.pids[home], signal.SIGSTOP)
    started = time.monotonic()
    await store.download(FID, tmp_path / "target")
    assert time.monotonic() - started < 20
    os.kill(network.pids[home], signal.SIGCONT)


async def test_objects_survive_a_killed_gateway(
    network: LocalNetwork, store: DeossStore, source: Path, tmp_path: Path
) -> None:
    """What was acknowledged is there after kill -9, with its owners; in between the error is recoverable."""
    await store.put(source)
    network.kill_gateway()
    with pytest.raises(StorageUnreachable):
        await store.stat(FID)
    network.restart_gateway()
    await _require_readable(store, tmp_path)
    assert await store.put(source) == FID


async def test_a_gateway_killed_in_an_upload_keeps_nothing(
    network: LocalNetwork, store: DeossStore, source: Path
) -> None:
    """An upload cut by kill -9 is not there afterwards; it can be sent again, and leaves nothing behind."""
    async with asyncio.TaskGroup() as group:
        upload = group.create_task(_failure_of(store, source))
        await asyncio.to_thread(_wait_until, lambda: bool(_unfinished(network)))
        network.kill_gateway()
    assert isinstance(upload.result(), StorageUnreachable)
    network.restart_gateway()
    assert await store.stat(FID) is None
    assert await store.put(source) == FID
    assert [] == _unfinished(network)


async def _failure_of(store: DeossStore, source: Path) -> Exception | None:
    try:
        await store.put(source)
    except StorageUnreachable as exc:
        return exc
    return None


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _unfinished(network: LocalNetwork) -> list[Path]:
    return list((network.node_folder(0).parent / "gateway" / "resumable").iterdir())


def _spool(network: LocalNetwork) -> list[Path]:
    return list((network.node_folder(0).parent / "gateway" / "spool").iterdir())


async def test_a_deletion_survives_killed_processes(
    network: LocalNetwork, store: DeossStore, source: Path
) -> None:
    """Fragments go from the nodes, also from one that was down and by a gateway that was killed meanwhile."""
    assert await store.put(source) == FID
    assert 12 * 2 == _fragments(network)
    network.kill_node(5)
    assert await store.delete(FID)
    network.kill_gateway()
    network.restart_node(5)
    network.restart_gateway()
    assert await store.stat(FID) is None
    assert not await store.delete(FID)
    await asyncio.to_thread(_wait_until, lambda: _fragments(network) == 0)


async def test_who_deleted_an_object_can_own_it_again(
    network: LocalNetwork, store: DeossStore, source: Path
) -> None:
    """Another owner keeps it meanwhile; what the gateway remembers of the first upload does not mislead."""
    other = DeossStore(network.gateway_url, OTHER_PAIR[0], lambda message: sr25519.sign(OTHER_PAIR, message))
    try:
        assert FID == await store.put(source) == await other.put(source)
        assert await store.delete(FID)
        assert [] == [each async for each in store.list()]
        assert FID == await store.put(source)
        assert [FID] == [each.object_id async for each in store.list()]
        assert await other.delete(FID)
        assert (await store.stat(FID)) is not None
    finally:
        await other.close()


def _fragments(network: LocalNetwork) -> int:
    folders = (network.node_folder(number) / "fragments" for number in range(12))
    return sum(len(list(folder.iterdir())) for folder in folders)


async def test_unsigned_uploads_are_refused(network: LocalNetwork, source: Path) -> None:
    """Without a signature, with an expired one, or with another account's, nothing is stored."""
    forged = DeossStore(network.gateway_url, PAIR[0], lambda message: sr25519.sign(OTHER_PAIR, message))
    expired = DeossStore(
        network.gateway_url,
        PAIR[0],
        lambda message: sr25519.sign(PAIR, message),
        now=lambda: time.time() - 61,
    )
    for client in (forged, expired):
        with pytest.raises(Unauthorised):
            await client.put(source)
        await client.close()
    async with aiohttp.ClientSession(network.gateway_url) as session:
        assert await _refusal(session, "PUT", "/object/name", data=b"content") == (403, "no permission")
    assert _fragments_on(network) == 0


@pytest.mark.parametrize("half_close", [True, False])
async def test_a_truncated_upload_leaves_nothing(network: LocalNetwork, *, half_close: bool) -> None:
    """A body that ends before its announced length is refused, and no byte of it stays anywhere."""
    port = int(network.gateway_url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    headers = "".join(f"{name}: {value}\r\n" for name, value in _identity().items())
    writer.write(f"PUT /object/name HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n{headers}\r\n".encode())
    writer.write(CONTENT[:3_000_000])
    await writer.drain()
    await asyncio.to_thread(_wait_until, lambda: bool(_spool(network)))
    if half_close:
        writer.write_eof()
        assert b"200" not in (await reader.read(1000)).splitlines()[:1]
    writer.close()
    await writer.wait_closed()
    await asyncio.to_thread(_wait_until, lambda: not _spool(network))
    assert _fragments_on(network) == 0


async def test_a_stock_client_is_served(network: LocalNetwork) -> None:
    """The form of the stock SDK works: chunked body, random message, base58 signature, CESS address."""

    async def chunked() -> AsyncIterator[bytes]:
        for start in range(0, 300_000, 7_000):
            yield CONTENT[start : min(start + 7_000, 300_000)]

    fid = file_id_of(CONTENT[:300_000]).hex()
    async with aiohttp.ClientSession(network.gateway_url) as session:
        headers = {**_identity("x7!k#m9@q2$w5%e8"), "Content-Type": "application/json"}
        async with session.put("/object/stock.json", data=chunked(), headers=headers) as response:
            expected = f'{{"code":200,"msg":"ok","data":{{"fid":"{fid}"}}}}'
            assert (response.status, await response.text()) == (200, expected)
        async with session.get(f"/file/download/{fid}") as response:
            assert (response.status, await response.read()) == (200, CONTENT[:300_000])
        async with session.get(f"/file/metadata/{fid}") as response:
            owner = {"user": ss58_encode(PAIR[0], 11330), "file_name": "stock.json", "territory": "t"}
            assert (await response.json())["data"] == {"fid": fid, "size": 300_000, "owner": [owner]}
        async with session.get("/version") as response:
            assert isinstance(await response.json(), str)
        await _require_both_range_headers(session, fid)
        await _require_refusals(session, fid)


async def _require_both_range_headers(session: aiohttp.ClientSession, fid: str) -> None:
    for header in ("Content-Range", "Range"):
        async with session.get(f"/file/open/{fid}", headers={header: "bytes=10-19"}) as response:
            assert (response.status, await response.read()) == (206, CONTENT[10:20])
            assert response.headers["Content-Range"] == "bytes 10-19/300000"
    async with session.get(f"/file/open/{fid}", headers={"Range": "bytes=-10"}) as response:
        assert await response.read() == CONTENT[299_990:300_000]
    async with session.get(f"/file/open/{fid}") as response:
        assert (response.status, await response.read()) == (200, CONTENT[:300_000])


async def _require_refusals(session: aiohttp.ClientSession, fid: str) -> None:
    unknown, signed = "0f" * 32, _identity()
    assert await _refusal(session, "GET", f"/file/download/{unknown}") == (404, "Not found")
    assert await _refusal(session, "GET", f"/file/metadata/{unknown}") == (404, "Not found")
    assert await _refusal(session, "GET", "/file/open/short") == (400, "invalid fid")
    assert await _refusal(session, "GET", f"/file/open/{fid.upper()}") == (400, "invalid fid")
    beyond = {"Content-Range": "bytes=0-300000"}
    assert await _refusal(session, "GET", f"/file/open/{fid}", headers=beyond) == (416, "invalid range end")
    assert await _refusal(session, "GET", "/nothing/here") == (404, "Not Found")
    status, text = await _refusal(session, "PUT", "/object/empty", headers=signed, data=b"")
    assert (status, "empty" in text) == (400, True)
    status, text = await _refusal(
        session, "PUT", "/object/secret", headers={**signed, "Cipher": "k"}, data=b"x"
    )
    assert (status, "does not encrypt" in text) == (400, True)
    status, _ = await _refusal(session, "PUT", "/object/ab", headers=signed, data=b"x")
    assert status == 400


async def _refusal(session: aiohttp.ClientSession, method: str, path: str, **options: Any) -> tuple[int, str]:
    async with session.request(method, path, **options) as response:
        envelope = await response.json()
        assert (envelope["code"], envelope["data"]) == (response.status, None)
        return response.status, envelope["msg"]


async def test_one_content_of_two_owners(network: LocalNetwork, source: Path) -> None:
    """Content stored by a second account is not sent to the nodes again; both accounts own it."""
    first, second = _client(network), _client(network, OTHER_PAIR)
    await first.put(source)
    # With a node down a transfer would be refused, so none has taken place.
    network.kill_node(0)
    assert await second.put(source) == FID
    await first.close()
    await second.close()
    url = f"{network.gateway_url}/file/metadata/{FID.hex()}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        users = {owner["user"] for owner in (await response.json())["data"]["owner"]}
    assert users == {ss58_encode(pair[0], 11330) for pair in (PAIR, OTHER_PAIR)}


async def test_the_same_upload_twice_at_once(
    network: LocalNetwork, store: DeossStore, source: Path, tmp_path: Path
) -> None:
    """Two uploads of one content that overlap both succeed and leave one readable object."""
    async with asyncio.TaskGroup() as group:
        uploads = [group.create_task(store.put(source)) for _ in range(2)]
    assert [FID, FID] == [upload.result() for upload in uploads]
    await _require_readable(store, tmp_path)
    assert network.running


async def test_writing_needs_twelve_nodes(network: LocalNetwork, store: DeossStore, source: Path) -> None:
    """With eleven nodes an upload is refused as recoverable, and works once the node is back."""
    network.kill_node(5)
    with pytest.raises(StorageUnreachable, match="503"):
        await store.put(source)
    assert await store.stat(FID) is None
    network.restart_node(5)
    assert await store.put(source) == FID


async def test_a_spare_node_steps_in(tmp_path: Path, source: Path) -> None:
    """With a thirteenth node, a write goes on when a living node cannot write any more."""
    root = tmp_path / "network"
    with LocalNetwork(root, nodes=13) as network:
        (network.node_folder(4) / "parts").rmdir()
        store = _client(network)
        assert await store.put(source) == FID
        assert not list((network.node_folder(4) / "fragments").iterdir())
        await _require_readable(store, tmp_path)
        await store.close()
    shutil.rmtree(root)


async def test_a_gateway_uses_bounded_memory(
    network: LocalNetwork, store: DeossStore, tmp_path: Path
) -> None:
    """An object of five segments needs no more memory than two segments with their fragments."""
    large = tmp_path / "large"
    with large.open("wb") as file:
        for seed in range(5):
            file.write(random.Random(seed).randbytes(SEGMENT_SIZE))  # noqa: S311 - no secret
    object_id = await store.put(large)
    assert await store.download(object_id, tmp_path / "target") == 5 * SEGMENT_SIZE
    assert _peak_memory(network.pids["gateway"]) < 700 * MIB
    assert _peak_memory(network.pids["node-00"]) < 200 * MIB
    large.unlink()
    (tmp_path / "target").unlink()


def _peak_memory(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:  # noqa: PTH123 - a kernel file
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def test_a_network_starts_and_stops_from_anywhere(tmp_path: Path) -> None:
    """A network outlives its starter; another object over the same folder stops all of it."""
    root = tmp_path / "network"
    starter = LocalNetwork(root)
    starter.start()
    pids = starter.pids
    assert {"gateway", *(f"node-{number:02d}" for number in range(12))} == set(pids)
    with pytest.raises(ConfigInvalid, match="already"):
        LocalNetwork(root).start()
    LocalNetwork(root).stop()
    assert not starter.running
    assert starter.pids == {}
    starter.stop()
    assert [pid for pid in pids.values() if _is_alive(pid)] == []
    shutil.rmtree(root)


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    """When the gateway's port is in use nothing stays running."""
    first, second = tmp_path / "first", tmp_path / "second"
    with LocalNetwork(first) as running:
        port = int(running.gateway_url.rpartition(":")[2])
        other = LocalNetwork(second, port=port)
        with pytest.raises(PortTaken):
            other.start()
        assert not other.running
        other.stop()
    shutil.rmtree(first)
    shutil.rmtree(second)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
