"""Uploads that break off go on where they stopped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from caregrid.errors import (
    InputEmpty,
    InputInvalid,
    ObjectTooLarge,
    RateLimited,
    StorageUnreachable,
)
from caregrid.storage import SizedStream, TransferPolicy, file_id_of
from caregrid.storage.file_id import MAX_SEGMENTS, SEGMENT_SIZE
from tests.contract.gateways.askable import AskableGateway, askable_gateway
from tests.contract.gateways.clients import CHUNK, QUICK, client, content_of, file_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from caregrid.storage import DeossStore

SIZE = 5 * CHUNK + 100
LARGE = content_of(SIZE)
FID = file_id_of(LARGE)
ONE_ATTEMPT = TransferPolicy(chunk_size=CHUNK, attempts=1)


@pytest.fixture
async def gateway() -> AsyncIterator[AskableGateway]:
    """A gateway that can be asked."""
    async with askable_gateway() as running:
        yield running


@pytest.fixture
async def store(gateway: AskableGateway) -> AsyncIterator[DeossStore]:
    """A client of it."""
    opened = client(gateway.url)
    yield opened
    await opened.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of five chunks and a bit."""
    return file_of(tmp_path, LARGE)


async def test_nothing_is_sent_twice(gateway: AskableGateway, store: DeossStore, source: Path) -> None:
    """After cuts in the middle of chunks, at the beginning and the end, each byte is kept once."""
    gateway.cuts = [0, 10, 3 * CHUNK // 2, 4 * CHUNK - 1, SIZE - 1]
    assert FID == await store.put(source)
    assert SIZE == gateway.received
    (held,) = gateway.held.values()
    assert LARGE == held


async def test_another_process_goes_on(gateway: AskableGateway, source: Path) -> None:
    """A client that knows nothing of the first upload finds it again, and sends only what is missing."""
    first, second = client(gateway.url, ONE_ATTEMPT), client(gateway.url, ONE_ATTEMPT)
    gateway.cuts = [2 * CHUNK + 7]
    with pytest.raises(StorageUnreachable):
        await first.put(source)
    assert FID == await second.put(source)
    assert f"bytes {2 * CHUNK + 7}-{3 * CHUNK + 6}/{SIZE}" in [span for _, span in gateway.requests]
    assert SIZE == gateway.received
    await first.close()
    await second.close()


@pytest.mark.parametrize("forgets", [False, True])
async def test_the_answer_to_the_last_chunk_is_lost(
    gateway: AskableGateway, store: DeossStore, source: Path, *, forgets: bool
) -> None:
    """The same chunk brings the answer, even where nothing is held any more; the rest is not sent again."""
    gateway.lost_answers, gateway.forgets = 2, forgets
    assert FID == await store.put(source)
    assert SIZE == gateway.received


async def test_what_is_there_already_is_not_sent(
    gateway: AskableGateway, store: DeossStore, source: Path
) -> None:
    """An upload that was done before takes its last byte once more, which brings its answer."""
    await store.put(source)
    gateway.requests.clear()
    assert FID == await store.put(source)
    last = f"bytes {SIZE - 1}-{SIZE - 1}/{SIZE}"
    assert [("HEAD", f"bytes */{SIZE}"), ("PUT", last)] == gateway.requests
    assert SIZE == gateway.received


async def test_a_spoilt_upload_is_given_up(gateway: AskableGateway, store: DeossStore, source: Path) -> None:
    """Wrong bytes that are held under the name end in a fresh upload under another one."""
    gateway.cuts = [CHUNK + 5]
    impatient = client(gateway.url, ONE_ATTEMPT)
    with pytest.raises(StorageUnreachable):
        await impatient.put(source)
    await impatient.close()
    (held,) = gateway.held.values()
    held[0] ^= 1
    assert FID == await store.put(source)
    assert 2 == len(gateway.done)


async def test_endless_cuts_end(gateway: AskableGateway, store: DeossStore, source: Path) -> None:
    """A gateway that takes nothing is given up after the policy's attempts."""
    gateway.cuts = [0] * 100
    with pytest.raises(StorageUnreachable):
        await store.put(source)
    assert QUICK.attempts == 100 - len(gateway.cuts)


async def test_a_busy_gateway_is_waited_for(gateway: AskableGateway, store: DeossStore, source: Path) -> None:
    """The same chunk is sent again after the time that the gateway asked for."""
    gateway.busy = 1
    assert FID == await store.put(source)
    assert 1 == [method for method, _ in gateway.requests].count("HEAD")


async def test_a_gateway_that_is_busy_for_long_is_told(gateway: AskableGateway, source: Path) -> None:
    """A wait beyond the policy's longest is the caller's to decide on."""
    impatient = client(gateway.url, TransferPolicy(chunk_size=CHUNK, longest_delay_s=0.5))
    gateway.busy = 1
    with pytest.raises(RateLimited):
        await impatient.put(source)
    await impatient.close()


async def test_two_uploads_at_once_share_the_work(
    gateway: AskableGateway, store: DeossStore, source: Path
) -> None:
    """The same content put twice at the same time is one object, and both hear so."""
    assert {FID} == set(await asyncio.gather(store.put(source), store.put(source)))
    assert {FID.hex()} == set(gateway.done.values())


async def test_a_stream_goes_on_as_a_file_does(gateway: AskableGateway, store: DeossStore) -> None:
    """A stream, which comes only once, survives cuts just as well."""
    gateway.cuts = [CHUNK + 1, 3 * CHUNK]
    assert FID == await store.put(SizedStream(chunks=in_pieces(LARGE), size=SIZE))
    assert SIZE == gateway.received


async def test_progress_follows(gateway: AskableGateway, store: DeossStore, source: Path) -> None:
    """The last call says that all is done, and none says more than there is."""
    seen: list[tuple[int, int]] = []
    gateway.cuts = [3 * CHUNK]
    await store.put(source, progress=lambda done, total: seen.append((done, total)))
    assert (0, SIZE) == seen[0]
    assert (SIZE, SIZE) == seen[-1]
    assert all(0 <= done <= total == SIZE for done, total in seen)


class Stop(Exception):
    """What a callback raises."""


async def test_what_a_callback_raises_ends_the_upload(
    gateway: AskableGateway, store: DeossStore, source: Path
) -> None:
    """The caller gets his own exception, from a coroutine too, and nothing is tried again."""

    async def stop(done: int, _: int) -> None:
        raise Stop(done)

    with pytest.raises(Stop):
        await store.put(source, progress=stop)
    assert {} == gateway.done
    assert [method for method, _ in gateway.requests].count("PUT") <= 1


async def test_a_thousand_segments_are_the_limit(store: DeossStore, tmp_path: Path) -> None:
    """A larger file is refused before anything is read or sent, by an error of its own."""
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(MAX_SEGMENTS * SEGMENT_SIZE + 1)
    with pytest.raises(ObjectTooLarge, match="split it"):
        await store.put(path)
    with pytest.raises(ObjectTooLarge):
        await store.put(SizedStream(chunks=in_pieces(b"x"), size=MAX_SEGMENTS * SEGMENT_SIZE + 1))


@pytest.mark.parametrize("size", [SIZE - 1, SIZE + 1, 1])
async def test_a_stream_of_another_length_is_refused(
    gateway: AskableGateway, store: DeossStore, size: int
) -> None:
    """Too few or too many bytes are noticed before anything is sent."""
    with pytest.raises(InputInvalid, match="announced"):
        await store.put(SizedStream(chunks=in_pieces(LARGE), size=size))
    assert [] == gateway.requests


async def test_an_empty_stream_is_refused(store: DeossStore) -> None:
    """As an empty file is."""
    with pytest.raises(InputEmpty):
        await store.put(SizedStream(chunks=in_pieces(b""), size=0))


async def in_pieces(content: bytes) -> AsyncIterator[bytes]:
    """Yield content in pieces of odd length."""
    for start in range(0, len(content), 10_007):
        yield content[start : start + 10_007]
