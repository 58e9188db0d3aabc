"""The adapter against a gateway with each of stock DeOSS's oddities."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from caregrid.errors import (
    FileIdMismatch,
    InputInvalid,
    ObjectUnknown,
    RateLimited,
    StorageUnreachable,
    TerritoryUnusable,
    Unauthorised,
)
from caregrid.storage import ObjectStat, StoredEntry, TransferPolicy, file_id_of
from caregrid.storage.file_id import SEGMENT_SIZE
from tests.contract.gateways.clients import CHUNK, QUICK, client, content_of, file_of
from tests.contract.gateways.stock import SPACE, StockGateway, stock_gateway

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from caregrid.storage import DeossStore

SMALL = content_of(1000)
LARGE = content_of(5 * CHUNK + 100)
FID = file_id_of(SMALL)


@pytest.fixture
async def gateway() -> AsyncIterator[StockGateway]:
    """A stock gateway."""
    async with stock_gateway() as running:
        yield running


@asynccontextmanager
async def using(gateway: StockGateway, policy: TransferPolicy = QUICK) -> AsyncIterator[DeossStore]:
    """A client of it."""
    store = client(gateway.url, policy)
    try:
        yield store
    finally:
        await store.close()


def spans(gateway: StockGateway) -> list[tuple[str, str]]:
    """Return the name and first byte of every chunk that was sent."""
    sent = [(path, span) for method, path, span in gateway.requests if method == "PUT"]
    return [(path.rpartition("/")[2], span.removeprefix("bytes ").partition("-")[0]) for path, span in sent]


async def test_an_error_inside_of_success(gateway: StockGateway, tmp_path: Path) -> None:
    """HTTP 200 with an error code inside is that error."""
    async with using(gateway) as store:
        with pytest.raises(ObjectUnknown):
            await store.read_range(FID, 0, 5)
        with pytest.raises(ObjectUnknown):
            await store.download(FID, tmp_path / "target")
        assert await store.stat(FID) is None


async def test_a_small_object_goes_at_once(gateway: StockGateway, tmp_path: Path) -> None:
    """What fits into one chunk is one request."""
    async with using(gateway) as store:
        assert FID == await store.put(file_of(tmp_path, SMALL))
        assert ObjectStat(object_id=FID, size=1000) == await store.stat(FID)
    assert [path.split("/")[1] for _, path, _ in gateway.requests] == ["object", "file"]


async def test_the_first_answer_of_a_download_is_empty(gateway: StockGateway, tmp_path: Path) -> None:
    """An object that is not in the gateway's cache comes at the second attempt, unnoticed."""
    async with using(gateway) as store:
        await store.put(file_of(tmp_path, SMALL))
        gateway.fetched.clear()
        assert await store.download(FID, tmp_path / "target") == 1000
    assert (tmp_path / "target").read_bytes() == SMALL
    assert 2 == sum("/file/download/" in path for _, path, _ in gateway.requests)


async def test_ranges_are_asked_for_by_content_range(gateway: StockGateway, tmp_path: Path) -> None:
    """The range stands in the header that this gateway reads."""
    async with using(gateway) as store:
        await store.put(file_of(tmp_path, SMALL))
        assert SMALL[100:200] == await store.read_range(FID, 100, 100)
        with pytest.raises(InputInvalid):
            await store.read_range(FID, 900, 200)
    assert "bytes=100-199" in {span for _, _, span in gateway.requests}


async def test_a_refusal_with_success_behind_it(gateway: StockGateway, tmp_path: Path) -> None:
    """Of two documents the last one counts: the upload was done although the chain lagged behind."""
    gateway.syncing = 1
    async with using(gateway) as store:
        assert FID == await store.put(file_of(tmp_path, SMALL))
    assert 1 == len(gateway.requests)


async def test_deleting(gateway: StockGateway, tmp_path: Path) -> None:
    """An object is deleted once; afterwards it is not there."""
    async with using(gateway) as store:
        await store.put(file_of(tmp_path, SMALL))
        assert await store.delete(FID)
        assert not await store.delete(FID)
        assert await store.stat(FID) is None


async def test_the_reason_in_front_of_an_envelope_is_told(gateway: StockGateway) -> None:
    """A refused deletion says what the chain said, which is the first of two documents."""
    gateway.files[FID.hex()] = SMALL
    gateway.owners[FID.hex()] = {"somebody else": "caregrid"}
    async with using(gateway) as store:
        with pytest.raises(InputInvalid, match="NotOwner"):
            await store.delete(FID)
    assert SMALL == gateway.files[FID.hex()]


async def test_chunks_go_on_after_308(gateway: StockGateway, tmp_path: Path) -> None:
    """308 without a place to go means that the next chunk may come; all go to one name."""
    async with using(gateway) as store:
        assert file_id_of(LARGE) == await store.put(file_of(tmp_path, LARGE))
    sent = spans(gateway)
    assert [str(place * CHUNK) for place in range(6)] == [start for _, start in sent]
    assert 1 == len({name for name, _ in sent})


@pytest.mark.parametrize("fault", ["cut_answers", "cut_bodies"])
async def test_an_unclear_chunk_is_never_sent_twice(
    gateway: StockGateway, tmp_path: Path, fault: str
) -> None:
    """This gateway appends whatever comes, so an upload that broke off starts anew under another name."""
    async with using(gateway) as store:
        setattr(gateway, fault, 1)
        assert file_id_of(LARGE) == await store.put(file_of(tmp_path, LARGE))
    names = [name for name, _ in spans(gateway)]
    assert 2 == len(set(names))
    assert names.count(names[0]) == 1
    assert LARGE == gateway.files[file_id_of(LARGE).hex()]


async def test_names_never_come_back(gateway: StockGateway, tmp_path: Path) -> None:
    """The same content put again is sent under a name that nothing was sent to before."""
    async with using(gateway, TransferPolicy(chunk_size=CHUNK, attempts=1)) as store:
        gateway.cut_answers = 1
        with pytest.raises(StorageUnreachable):
            await store.put(file_of(tmp_path, LARGE))
        assert file_id_of(LARGE) == await store.put(file_of(tmp_path, LARGE))
    assert 2 == len({name for name, _ in spans(gateway)})


async def test_server_busy_is_waited_for(gateway: StockGateway, tmp_path: Path) -> None:
    """A first chunk that was sent away is sent again to the same name; nothing of it had been kept."""
    gateway.busy = 1
    async with using(gateway) as store:
        assert file_id_of(LARGE) == await store.put(file_of(tmp_path, LARGE))
    assert ["0", "0"] == [start for _, start in spans(gateway)][:2]
    assert 1 == len({name for name, _ in spans(gateway)})


async def test_server_busy_is_told_in_the_end(gateway: StockGateway) -> None:
    """A look-up is not waited for here; who asked hears how long to wait."""
    gateway.busy = 1
    async with using(gateway) as store:
        with pytest.raises(RateLimited) as caught:
            await store.stat(FID)
    assert caught.value.retry_after_s == 1


async def test_territories(gateway: StockGateway, tmp_path: Path) -> None:
    """A territory that is missing or full is told, and what to do; nothing is tried again."""
    async with using(gateway) as store:
        gateway.remaining = SPACE - 1
        with pytest.raises(TerritoryUnusable, match="expand"):
            await store.put(file_of(tmp_path, SMALL))
        gateway.territories.clear()
        with pytest.raises(TerritoryUnusable, match="buy"):
            await store.put(file_of(tmp_path, LARGE))
        assert await store.territory() is None
    assert {} == gateway.files


async def test_a_list_without_order_and_sizes(gateway: StockGateway, tmp_path: Path) -> None:
    """All files come at once, with the space they take only; the store gives them in order."""
    async with using(gateway) as store:
        assert [] == [entry async for entry in store.list()]
        ids = [await store.put(file_of(tmp_path, bytes([1 + number]))) for number in range(5)]
        expected = [StoredEntry(object_id=each, size=None, space=SPACE) for each in sorted(ids)]
        assert expected == [entry async for entry in store.list()]
        assert expected[3:] == [entry async for entry in store.list(expected[2].object_id)]


async def test_what_stock_does_not_tell(gateway: StockGateway, tmp_path: Path) -> None:
    """Fragments, nodes, territory and repair are None, not an error."""
    async with using(gateway) as store:
        await store.put(file_of(tmp_path, SMALL))
        assert await store.fragments(FID) is None
        assert await store.nodes() is None
        assert await store.territory() is None
        assert await store.repair(FID) is None


async def test_a_wrong_signature_is_refused(gateway: StockGateway, tmp_path: Path) -> None:
    """The gateway looks at the signature."""
    async with using(gateway) as store:
        store._identity._sign = lambda _: bytes(64)
        with pytest.raises(Unauthorised):
            await store.put(file_of(tmp_path, SMALL))


async def test_another_file_id_is_found_out(gateway: StockGateway, tmp_path: Path) -> None:
    """A byte that the gateway appended by itself ends in an error, not in a wrong object."""
    gateway.appends = b"x"
    async with using(gateway) as store:
        with pytest.raises(FileIdMismatch):
            await store.put(file_of(tmp_path, LARGE))


async def test_the_first_fragment_of_a_file(gateway: StockGateway, tmp_path: Path) -> None:
    """A fragment is fetched by its digest and checked against it."""
    padded = SMALL.ljust(SEGMENT_SIZE // 4, b"\0")
    async with using(gateway) as store:
        await store.put(file_of(tmp_path, SMALL))
        assert padded == await store.fragment(FID, hashlib.sha256(padded).digest())
        with pytest.raises(ObjectUnknown):
            await store.fragment(FID, bytes(32))
