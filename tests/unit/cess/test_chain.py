"""Reading the chain's state from a node, by WebSocket and by HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from caregrid.cess import CessChain, CessTerritory, CessTerritoryState, MinerAudit, ServiceProof
from caregrid.cess.deadlines import MINERS_PAGE
from caregrid.cess.keys import map_key
from caregrid.errors import ConfigInvalid, FileIdMismatch, InputInvalid
from caregrid.storage.file_id import file_id_of_segments
from tests.unit.cess import values
from tests.unit.cess.conftest import HEAD, block_hash
from tests.unit.cess.encoding import encoded, hexed
from tests.unit.cess.test_decoding import challenge

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.cess.conftest import Node

FILE = values.file_of(2)
FILE_ID = values.file_id_of(FILE)
DEAL_ID = file_id_of_segments([each.digest for each in values.DEAL.segments])
ME = values.account(4_242)


def text(digest: bytes) -> bytes:
    """Return a digest as a part of a key."""
    return digest.hex().encode()


STATE = {
    map_key("FileBank", "File", text(FILE_ID)): values.encoded_file(FILE),
    map_key("FileBank", "DealMap", text(DEAL_ID)): values.encoded_deal(values.DEAL),
    map_key("FileBank", "RestoralOrder", text(values.digest(3))): values.encoded_order(values.ORDER),
    map_key("FileBank", "UserHoldFileList", ME): values.encoded_held(values.HELD),
    map_key("Oss", "AuthorityList", ME): encoded("CessOperators", [hexed(values.account(8))]),
    map_key("StorageHandler", "Territory", ME, b"\x1crecords"): encoded(
        "CessTerritory",
        {
            "token": "0x" + "02" * 32,
            "total": 10,
            "used": 1,
            "locked": 2,
            "remaining": 7,
            "start": 5,
            "deadline": 9_000,
            "state": "Frozen",
        },
    ),
    map_key("Audit", "CountedServiceFailed", values.account(1)): (1).to_bytes(4, "little"),
    map_key("Audit", "CountedClear", values.account(1)): b"\x03",
    map_key("Audit", "ChallengeSnapShot", values.account(1)): challenge(
        service_prove={"tee": "0x" + "06" * 32, "proof": "0x31", "result": True}
    ),
} | {
    map_key("Sminer", "MinerItems", values.account(index)): values.encoded_miner(values.miner_of())
    for index in range(100)
    if index != 5
}


@pytest.fixture(params=["ws", "http"])
def chain(
    request: pytest.FixtureRequest, make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> CessChain:
    """A reader of one good node."""
    return reading(getattr(make_node(state=STATE), request.param))


async def test_a_file_is_read(chain: CessChain) -> None:
    """A file with segments, fragments and owners; None for one that is not there."""
    assert await chain.file(FILE_ID) == FILE
    assert await chain.file(b"\x00" * 32) is None


async def test_a_deal_and_a_restoral_order_are_read(chain: CessChain) -> None:
    """What is on its way; None for what is not."""
    assert await chain.deal(DEAL_ID) == values.DEAL
    assert await chain.deal(FILE_ID) is None
    assert await chain.restoral_order(values.digest(3)) == values.ORDER
    assert await chain.restoral_order(values.digest(4)) is None


async def test_a_file_is_located_with_its_miners(chain: CessChain) -> None:
    """All of its miners that there are, and the block that all of it is of."""
    located = await chain.located(FILE_ID)
    assert located is not None
    assert FILE == located.file
    assert {values.account(index) for index in range(12) if index != 5} == set(located.miners)
    assert (HEAD, bytes.fromhex(block_hash(HEAD)[2:])) == (located.head.number, located.head.hash)
    assert await chain.located(b"\x00" * 32) is None


async def test_miners_are_read_page_by_page(
    make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """Each is asked for once, in questions of bounded size; who is none is left out."""
    node = make_node(state=STATE)
    wanted = [values.account(index % 110) for index in range(220)]
    found = await reading(node.ws).miners(wanted)
    assert {values.account(index) for index in range(100) if index != 5} == set(found)
    pages = [len(params[0]) for method, params in node.asked() if method == "state_queryStorageAt"]
    assert [MINERS_PAGE, 110 - MINERS_PAGE] == pages


async def test_a_miner_and_its_audits_are_read(chain: CessChain) -> None:
    """A miner, and what the chain keeps of its proofs; nothing for who is no miner."""
    assert await chain.miner(values.account(1)) == values.miner_of()
    assert await chain.miner(ME) is None
    audit = await chain.audit(values.account(1))
    assert audit.challenge is not None
    assert (1, 3, ServiceProof(verdict=True)) == (audit.failed, audit.missed, audit.challenge.proof)
    assert await chain.audit(ME) == MinerAudit(failed=None, missed=0, challenge=None)


async def test_an_accounts_things_are_read(chain: CessChain) -> None:
    """Territory, operators and files; empty for who has none."""
    expected = CessTerritory(
        token=b"\x02" * 32,
        total=10,
        used=1,
        locked=2,
        remaining=7,
        start=5,
        deadline=9_000,
        state=CessTerritoryState.FROZEN,
    )
    assert await chain.territory(ME, "records") == expected
    assert await chain.territory(ME, "other") is None
    assert await chain.authorised(ME) == (values.account(8),)
    assert await chain.files_of(ME) == values.HELD
    assert await chain.authorised(values.account(1)) == ()
    assert await chain.files_of(values.account(1)) == ()


async def test_the_largest_file_is_read(
    make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """1,000 segments fit into an answer, and are put together off the event loop."""
    file = values.file_of(1_000)
    key = map_key("FileBank", "File", text(values.file_id_of(file)))
    node = make_node(state={key: values.encoded_file(file)})
    for url in (node.ws, node.http):
        assert await reading(url).file(values.file_id_of(file)) == file


async def test_the_head_is_final_and_has_a_time(chain: CessChain) -> None:
    """Number, time and runtime are those of the finalized block."""
    head = await chain.head()
    assert (HEAD, 133) == (head.number, head.spec_version)
    assert timedelta() < datetime.now(UTC) - head.time < timedelta(minutes=10)


async def test_every_read_is_of_the_finalized_block(
    make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """The head is asked for first, and named in each question about state."""
    node = make_node(state=STATE)
    chain = reading(node.ws)
    await chain.located(FILE_ID)
    await chain.audit(values.account(1))
    asked = [(method, params) for method, params in node.asked() if method.startswith("state_")]
    assert {"state_getStorage", "state_queryStorageAt", "state_getRuntimeVersion"} == {
        each for each, _ in asked
    }
    assert {block_hash(HEAD)} == {params[-1] for _, params in asked}


async def test_a_file_declared_with_other_segments_is_refused(
    make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """The chain takes a declarer's word for a file id; we do not, nor for a file without segments."""
    mine = b"\x77" * 32
    none = replace(values.DEAL, segments=())
    node = make_node(
        state={
            map_key("FileBank", "File", text(mine)): values.encoded_file(FILE),
            map_key("FileBank", "DealMap", text(mine)): values.encoded_deal(none),
        }
    )
    chain = reading(node.ws)
    for read in (chain.file, chain.located, chain.deal):
        with pytest.raises(FileIdMismatch):
            await read(mine)


async def test_bad_questions_are_not_asked(reading: Callable[..., CessChain]) -> None:
    """What cannot be a file id, an account or a name is refused before any node is asked."""
    chain = reading("ws://127.0.0.1:9")
    for wrong in (chain.file(b"\x01"), chain.miner(b""), chain.territory(ME, ""), chain.miners([b"\x01"])):
        with pytest.raises(InputInvalid):
            await wrong


@pytest.mark.parametrize(
    "urls", [(), ("ftp://node.example",), ("node.example:9944",), ("ws://ok", "file:///x")]
)
def test_endpoints_are_urls_of_nodes(urls: tuple[str, ...]) -> None:
    """Another kind of address is a mistake in the configuration."""
    with pytest.raises(ConfigInvalid):
        CessChain(urls)
