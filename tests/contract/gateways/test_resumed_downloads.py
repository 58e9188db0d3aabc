"""Downloads that break off go on after the last segment that is there and intact."""

from __future__ import annotations

import stat
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from caregrid.errors import Conflict, FileIdMismatch, InputInvalid, StorageUnreachable
from caregrid.storage import TransferPolicy, file_id_of
from caregrid.storage._partial import Resumable
from caregrid.storage.file_id import SEGMENT_SIZE
from tests.contract.gateways.clients import client, content_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from caregrid.storage import DeossStore

#: A connection that breaks takes along what its buffers hold: as much comes behind what a test looks at.
MARGIN = 8 * 1024 * 1024
SIZE = 2 * SEGMENT_SIZE + 2 * MARGIN
CONTENT = content_of(SIZE)
FID = file_id_of(CONTENT)
ONE_ATTEMPT = TransferPolicy(attempts=1)
TWO_ATTEMPTS = TransferPolicy(attempts=2, first_delay_s=0.0)


class Gateway:
    """Sends the content, or a part of it, and breaks off where it is told to."""

    def __init__(self) -> None:
        self.cut: int | None = None  #: nothing from this offset on is sent
        self.once = False  #: the cut is for the next answer only
        self.starts: list[int] = []  #: offset of each answer of more than a byte
        self.content = CONTENT

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        if request.path.startswith("/file/metadata/"):
            return web.json_response({"code": 200, "msg": "ok", "data": {"size": SIZE}})
        start, end, headers = 0, SIZE, {}
        asked = request.headers.get("Content-Range")
        if asked is not None:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), int(last) + 1
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{SIZE}"
        cut = self.cut
        if end - start > 1:
            self.starts.append(start)
            self.cut = None if self.once else cut
        response = web.StreamResponse(status=206 if asked else 200, headers=headers)
        response.content_length = end - start
        await response.prepare(request)
        stop = end if cut is None else max(start + 1, min(end, cut))
        await response.write(self.content[start:stop])
        if stop < end:
            assert request.transport is not None
            request.transport.close()
        return response


@asynccontextmanager
async def running(gateway: Gateway, policy: TransferPolicy = ONE_ATTEMPT) -> AsyncIterator[DeossStore]:
    """Run it, and give a client."""
    app = web.Application()
    app.router.add_get("/{path:.*}", gateway.answer)
    async with TestServer(app) as server:
        store = client(str(server.make_url("/")), policy)
        try:
            yield store
        finally:
            await store.close()


def names_in(folder: Path) -> set[str]:
    """Return the names of all files."""
    return {path.name for path in folder.iterdir()}


async def interrupted(gateway: Gateway, target: Path, cut: int) -> None:
    """Have a download break off."""
    gateway.cut = cut
    async with running(gateway) as store:
        with pytest.raises(StorageUnreachable):
            await store.download(FID, target, resume=True)
    gateway.cut = None
    gateway.starts.clear()


async def test_whole_segments_are_kept(tmp_path: Path) -> None:
    """The next download begins after the last whole segment, and nothing is left beside the result."""
    gateway, target, seen = Gateway(), tmp_path / "target", list[int]()
    await interrupted(gateway, target, SEGMENT_SIZE + MARGIN)
    assert not target.exists()
    assert {f".{FID.hex()}.part", f".{FID.hex()}.segments"} == names_in(tmp_path)
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    async with running(gateway) as store:
        size = await store.download(FID, target, resume=True, progress=lambda done, _: seen.append(done))
    assert (SIZE, CONTENT) == (size, target.read_bytes())
    assert [SEGMENT_SIZE] == gateway.starts
    assert (SEGMENT_SIZE, SIZE) == (seen[0], seen[-1])
    assert {"target"} == names_in(tmp_path)


async def test_damaged_segments_are_fetched_again(tmp_path: Path) -> None:
    """A bit that flipped on the disk since is found by the journal's hash."""
    gateway, target = Gateway(), tmp_path / "target"
    await interrupted(gateway, target, 2 * SEGMENT_SIZE + MARGIN)
    with (tmp_path / f".{FID.hex()}.part").open("r+b") as part:
        part.seek(SEGMENT_SIZE + 1)
        part.write(bytes([CONTENT[SEGMENT_SIZE + 1] ^ 1]))
    async with running(gateway) as store:
        await store.download(FID, target, resume=True)
    assert [SEGMENT_SIZE] == gateway.starts
    assert CONTENT == target.read_bytes()


@pytest.mark.parametrize("journal", [b"", b"nonsense\n", b"00" * 32, b"\xff" * 200])
async def test_a_journal_that_says_nothing_is_not_believed(tmp_path: Path, journal: bytes) -> None:
    """Without a hash that fits, everything is fetched again."""
    gateway, target = Gateway(), tmp_path / "target"
    await interrupted(gateway, target, SEGMENT_SIZE + MARGIN)
    (tmp_path / f".{FID.hex()}.segments").write_bytes(journal)
    async with running(gateway) as store:
        await store.download(FID, target, resume=True)
    assert [0] == gateway.starts
    assert CONTENT == target.read_bytes()


async def test_wrong_content_does_not_stay(tmp_path: Path) -> None:
    """When the whole has another id, nothing is kept to be gone on with: the next download is fresh."""
    gateway, target = Gateway(), tmp_path / "target"
    gateway.content = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    async with running(gateway) as store:
        with pytest.raises(FileIdMismatch):
            await store.download(FID, target, resume=True)
        assert set() == names_in(tmp_path)
        gateway.content = CONTENT
        assert SIZE == await store.download(FID, target, resume=True)


async def test_without_resume_nothing_stays(tmp_path: Path) -> None:
    """A plain download that breaks off leaves the folder as it was."""
    gateway = Gateway()
    gateway.cut = SEGMENT_SIZE + MARGIN
    async with running(gateway) as store:
        with pytest.raises(StorageUnreachable):
            await store.download(FID, tmp_path / "target")
    assert set() == names_in(tmp_path)


async def test_a_cut_is_gone_on_with_at_once(tmp_path: Path) -> None:
    """A download goes on by itself from the last byte that came."""
    gateway = Gateway()
    gateway.cut, gateway.once = SEGMENT_SIZE + MARGIN, True
    async with running(gateway, TWO_ATTEMPTS) as store:
        assert SIZE == await store.download(FID, tmp_path / "target")
    first, second = gateway.starts
    assert first == 0 < second <= SEGMENT_SIZE + MARGIN
    assert CONTENT == (tmp_path / "target").read_bytes()


async def test_one_download_at_a_time(tmp_path: Path) -> None:
    """Two downloads never write into one file; the second one is told."""
    gateway, target = Gateway(), tmp_path / "target"
    other = Resumable(FID, target)
    async with running(gateway) as store:
        with pytest.raises(Conflict):
            await store.download(FID, target, resume=True)
        other.close()
        assert SIZE == await store.download(FID, target, resume=True)


async def test_no_link_is_followed(tmp_path: Path) -> None:
    """A link that lies where the part would be is refused; what it points to stays as it is."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / f".{FID.hex()}.part").symlink_to(victim)
    async with running(Gateway()) as store:
        with pytest.raises(InputInvalid):
            await store.download(FID, tmp_path / "target", resume=True)
    assert b"precious" == victim.read_bytes()


async def test_the_folder_must_exist(tmp_path: Path) -> None:
    """A missing folder is told, not made."""
    async with running(Gateway()) as store:
        with pytest.raises(InputInvalid, match="folder"):
            await store.download(FID, tmp_path / "absent" / "target", resume=True)
