"""Nodes that lie, lag, hang, send nonsense or are gone."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.cess import deadlines, heads, links
from caregrid.cess.keys import map_key
from caregrid.errors import CaregridError, ChainUnreachable, ConfigInvalid, ProtocolViolation
from tests.unit.cess import values
from tests.unit.cess.conftest import HEAD, block_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from caregrid.cess import CessChain
    from tests.unit.cess.conftest import Node

FILE = values.file_of()
FILE_ID = values.file_id_of(FILE)
KEY = map_key("FileBank", "File", FILE_ID.hex().encode())
STATE = {KEY: values.encoded_file(FILE)} | {
    map_key("Sminer", "MinerItems", values.account(index)): values.encoded_miner(values.miner_of())
    for index in range(12)
}
#: Longer than any deadline of these tests.
HANG_S = 30.0


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some deadlines are short, so that a hanging node is found out soon."""
    monkeypatch.setattr(heads, "HEALTH_TIMEOUT_S", 1.0)
    monkeypatch.setattr(heads, "HEADER_TIMEOUT_S", 1.0)
    monkeypatch.setattr(links, "CONNECT_TIMEOUT_S", 1.0)


@pytest.fixture
def gone() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return f"ws://127.0.0.1:{port}"


def answers(**fault: Any) -> dict[str, Any]:
    """Return a fault of the question about the file's state."""
    return {"state_getStorage": fault}


MALFORMED: dict[str, dict[str, Any]] = {
    "HTML": {"chain_getHeader": {"raw": "<html>no</html>"}},
    "a list": {"chain_getHeader": {"raw": "[]"}},
    "nested too deep": {"chain_getHeader": {"raw": "[" * 100_000}},
    "a number too long": {"chain_getHeader": {"raw": '{"id": 1, "result": ' + "9" * 10_000 + "}"}},
    "neither result nor error": {"chain_getHeader": {"raw": '{"jsonrpc": "2.0", "id": 4}'}},
    "a head that is none": {"chain_getFinalizedHead": {"result": "0x1234"}},
    "a head of another type": {"chain_getFinalizedHead": {"result": 7}},
    "odd digits": {"chain_getFinalizedHead": {"result": "0x" + "1" * 63}},
    "spaces in digits": {"chain_getFinalizedHead": {"result": "0x" + "11 " * 32}},
    "a header without number": {"chain_getHeader": {"result": {}}},
    "a header that is none": {"chain_getHeader": {"result": None}},
    "a number that is none": {"chain_getHeader": {"result": {"number": "0x1_0"}}},
    "a number that is too high": {"chain_getHeader": {"result": {"number": "0x100000000"}}},
    "health of another type": {"system_health": {"result": []}},
    "no version": {"state_getRuntimeVersion": {"result": {"specName": "cess-node"}}},
    "an old runtime": {"state_getRuntimeVersion": {"result": {"specName": "cess-node", "specVersion": 125}}},
    "no time": {"state_getStorage": {"result": "0x00"}},
    "a time past all": {"state_getStorage": {"result": "0x" + "ff" * 8}},
    "state that is a number": answers(result=1),
    "state that is not hexadecimal": answers(result="0xzz"),
}


@pytest.mark.parametrize("kind", MALFORMED)
@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_nonsense_is_no_answer(
    kind: str, scheme: str, make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """Whatever a node sends, it is a typed error; with another node there is none."""
    bad, good = make_node(faults=MALFORMED[kind]), make_node(state=STATE)
    with pytest.raises(ProtocolViolation):
        await reading(getattr(bad, scheme)).file(FILE_ID)
    assert await reading(getattr(bad, scheme), getattr(good, scheme)).file(FILE_ID) == FILE


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(values.encoded_file(FILE)[:-1], id="cut"),
        pytest.param(values.encoded_file(FILE) + b"\x00", id="too long"),
        pytest.param(b"", id="empty"),
        pytest.param(values.encoded_miner(values.miner_of()), id="of another type"),
        pytest.param(b"\xfe\xff\xff\xff" * 4, id="a length without content"),
    ],
)
async def test_state_of_another_shape_is_refused(
    data: bytes, make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """What does not fit its type to the last byte is nothing to rely on; another node may have better."""
    bad, good = make_node(state={KEY: data}), make_node(state=STATE)
    with pytest.raises(ProtocolViolation, match="layout"):
        await reading(bad.ws).file(FILE_ID)
    assert await reading(bad.ws, good.ws).file(FILE_ID) == FILE


@pytest.mark.parametrize(
    "changes",
    [
        None,
        [],
        [{"changes": []}],
        [{"changes": {}}],
        [{"changes": [["0x00", None]] * 12}],
        [{"changes": [None] * 12}],
        [{"changes": [[1, 2]] * 12}],
        [{}, {}],
    ],
)
async def test_miners_that_are_left_out_are_no_answer(
    changes: Any, make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """A node must not make us believe that miners are gone by not speaking of them."""
    node = make_node(state=STATE, faults={"state_queryStorageAt": {"result": changes}})
    with pytest.raises(ProtocolViolation):
        await reading(node.ws).located(FILE_ID)


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_a_huge_answer_is_cut_off(
    scheme: str,
    make_node: Callable[..., Node],
    reading: Callable[..., CessChain],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No more is taken than an answer may have; another node serves."""
    monkeypatch.setattr(links, "MAX_ANSWER", 200_000)
    bad, good = make_node(faults=answers(filler=150_000)), make_node(state=STATE)
    with pytest.raises(ProtocolViolation, match="more than is taken"):
        await reading(getattr(bad, scheme)).file(FILE_ID)
    assert await reading(getattr(bad, scheme), getattr(good, scheme)).file(FILE_ID) == FILE


def test_the_largest_file_fits_into_an_answer() -> None:
    """All that the chain allows in one file, as hexadecimal text, is less than is taken."""
    segment = 64 + 1 + 12 * (64 + 1 + 5 + 32)
    owner = 32 + 2 * (1 + 63)
    assert 2 * (1_000 * segment + 50_000 * owner + 1_000) < deadlines.MAX_ANSWER


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_a_node_that_hangs_is_left(
    scheme: str, make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """Its deadline over, the next node is asked."""
    hanging, good = make_node(faults={"chain_getHeader": {"hang": HANG_S}}), make_node(state=STATE)
    with pytest.raises(ChainUnreachable, match="in time"):
        await reading(getattr(hanging, scheme)).file(FILE_ID)
    assert await reading(getattr(hanging, scheme), getattr(good, scheme)).file(FILE_ID) == FILE


@pytest.mark.usefixtures("quick")
async def test_a_handshake_that_hangs_is_left(
    make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """A port that accepts and says nothing costs one deadline."""
    hanging, good = make_node(faults={"handshake": {"hang": HANG_S}}), make_node(state=STATE)
    with pytest.raises(ChainUnreachable, match="in time"):
        await reading(hanging.ws).head()
    assert await reading(hanging.ws, good.ws).file(FILE_ID) == FILE


@pytest.mark.parametrize("method", ["chain_getFinalizedHead", "state_getStorage"])
@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_a_connection_that_breaks_is_left(
    method: str, scheme: str, make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """Cut in the middle, the question goes to the next node."""
    bad, good = make_node(faults={method: {"cut": True}}), make_node(state=STATE)
    with pytest.raises(ChainUnreachable, match="cannot be reached"):
        await reading(getattr(bad, scheme)).file(FILE_ID)
    assert await reading(getattr(bad, scheme), getattr(good, scheme)).file(FILE_ID) == FILE


async def test_a_node_that_is_gone_is_left(
    gone: str, make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """Nobody listens: the next one serves, and is preferred for a while."""
    good = make_node(state=STATE)
    chain = reading(gone, gone.replace("ws", "http"), good.ws)
    assert await chain.file(FILE_ID) == FILE
    assert await chain.file(FILE_ID) == FILE
    with pytest.raises(ChainUnreachable, match="cannot be reached"):
        await reading(gone).head()


async def test_an_error_is_refusal_and_its_words_are_dropped(
    make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """A node's own words could be anything, so they are not passed on."""
    fault = {"error": {"code": 4003, "message": "canary-1b2f"}}
    bad = make_node(faults={"state_getRuntimeVersion": fault})
    with pytest.raises(ChainUnreachable, match="refused") as caught:
        await reading(bad.ws).head()
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 404, 429, 503])
async def test_another_status_is_refusal(
    status: int, make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """An answer by HTTP counts with status 200 only."""
    bad = make_node(faults={"http": {"status": status}})
    with pytest.raises(ChainUnreachable, match="refused"):
        await reading(bad.http).head()


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_redirects_are_not_followed(
    scheme: str, make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """A node does not send us to an address of its choice."""
    inner = make_node(state=STATE)
    bad = make_node()
    redirect = {"redirect": inner.http}
    replace(bad, faults={"handshake": redirect, "http": redirect}).tell()
    with pytest.raises(CaregridError):
        await reading(getattr(bad, scheme)).head()
    assert [] == inner.asked()


async def test_notifications_are_passed_over(
    make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """What nobody asked for comes before each answer, and does no harm."""
    assert await reading(make_node(state=STATE, faults={"noise": True}).ws).file(FILE_ID) == FILE


@pytest.mark.usefixtures("quick")
async def test_an_answer_to_another_question_is_none(
    make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """An answer counts for the question that it names."""
    node = make_node(faults={"system_health": {"id": 99}})
    with pytest.raises(ChainUnreachable, match="in time"):
        await reading(node.ws).head()
    with pytest.raises(ProtocolViolation):
        await reading(node.http).head()


# Nodes that are fit, of another chain, branch or time.


@pytest.mark.parametrize(
    "health",
    [
        {"peers": 3, "isSyncing": True, "shouldHavePeers": True},
        {"peers": 0, "isSyncing": False, "shouldHavePeers": True},
        {},
    ],
)
async def test_a_node_that_synchronises_is_left(
    health: dict[str, Any], make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """So is one that has lost its peers, since it does not notice that it falls behind."""
    bad, good = make_node(health=health), make_node(state=STATE)
    with pytest.raises(ChainUnreachable, match="synchronised"):
        await reading(bad.ws).head()
    assert await reading(bad.ws, good.ws).file(FILE_ID) == FILE


async def test_a_development_node_alone_serves(
    make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """A node that is to have no peers needs none."""
    alone = {"peers": 0, "isSyncing": False, "shouldHavePeers": False}
    assert (await reading(make_node(health=alone).ws).head()).number == HEAD


async def test_a_node_whose_head_is_old_is_left(
    make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """It may believe that it is synchronised, on a branch that nobody goes on with."""
    old, good = make_node(age_s=4_000), make_node(state=STATE)
    with pytest.raises(ChainUnreachable, match="synchronised"):
        await reading(old.ws).head()
    assert await reading(old.ws, good.ws).file(FILE_ID) == FILE


async def test_a_node_that_has_nothing_yet_is_left(
    make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """Its finalized block is block 0, in whose state there is no time."""
    with pytest.raises(ChainUnreachable, match="synchronised"):
        await reading(make_node(faults={"state_getStorage": {"result": None}}).ws).head()


async def test_a_node_far_behind_another_is_left(
    make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """Five blocks less than the highest that was seen are borne, six are not."""
    first, second = make_node(), make_node(head=HEAD - 6)
    chain = reading(first.ws, second.ws)
    await chain.head()
    replace(first, faults={"chain_getHeader": {"cut": True}}).tell()
    with pytest.raises(ChainUnreachable, match="synchronised"):
        await chain.head()
    replace(second, head=HEAD - 5).tell()
    assert (await chain.head()).number == HEAD - 5


@pytest.mark.parametrize("head", [HEAD, HEAD + 50])
async def test_a_node_on_another_branch_is_left(
    head: int, make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """It has another block where one was final, at its head or below."""
    first, forked = make_node(), make_node(branch=1, head=head)
    chain = reading(first.ws, forked.ws)
    await chain.head()
    replace(first, faults={"chain_getFinalizedHead": {"result": 0}}).tell()
    with pytest.raises(ProtocolViolation, match="branch"):
        await chain.head()
    replace(first, faults={}, head=HEAD + 1).tell()
    assert (await chain.head()).hash == bytes.fromhex(block_hash(HEAD + 1)[2:])


async def test_another_networks_nodes_are_left(
    make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """Block 0 decides: the given one, or that of the first node that was fit to serve."""
    other = make_node(genesis=block_hash(0, 9), state={KEY: b""})
    good = make_node(state=STATE)
    ours = bytes.fromhex(block_hash(0)[2:])
    assert await reading(other.ws, good.ws, genesis=ours).file(FILE_ID) == FILE
    with pytest.raises(ConfigInvalid):
        await reading(other.ws, genesis=ours).head()
    chain = reading(good.ws, other.ws)
    assert await chain.file(FILE_ID) == FILE
    replace(good, faults={"chain_getFinalizedHead": {"cut": True}}).tell()
    replace(other, state=STATE).tell()
    with pytest.raises(ChainUnreachable):
        await chain.file(FILE_ID)


async def test_a_node_that_is_not_of_cess_decides_nothing(
    make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """Another runtime's node is never used, and its block 0 does not become ours."""
    other = make_node(genesis=block_hash(0, 9), version={"specName": "polkadot", "specVersion": 133})
    good = make_node(state=STATE)
    assert await reading(other.ws, good.ws).file(FILE_ID) == FILE
    with pytest.raises(ConfigInvalid):
        await reading(other.ws).head()


async def test_what_is_told_of_failures_names_hosts_only(
    gone: str, reading: Callable[..., CessChain]
) -> None:
    """A URL's path may hold a provider's token."""
    url = gone.replace("ws://", "ws://user:canary-1@") + "/canary-2?key=canary-3"
    with pytest.raises(ChainUnreachable) as caught:
        await reading(url).head()
    assert "canary" not in str(caught.value)
    assert gone in str(caught.value)


async def test_connections_are_used_again_and_bounded(
    make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """A second question needs no second greeting, and many at once all get their answer."""
    node = make_node(state=STATE)
    chain = reading(node.ws)
    for _ in range(3):
        await chain.file(FILE_ID)
    assert 1 == sum(method == "system_health" for method, _ in node.asked())
    assert [FILE] * 30 == await asyncio.gather(*(chain.file(FILE_ID) for _ in range(30)))
    assert links.MAX_LINKS >= sum(method == "system_health" for method, _ in node.asked())


async def test_a_connection_that_went_stale_is_replaced(
    make_node: Callable[..., Node], reading: Callable[..., CessChain], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has not used a connection for a while takes a new one."""
    node = make_node(state=STATE)
    chain = reading(node.ws)
    await chain.file(FILE_ID)
    monkeypatch.setattr(links, "MAX_IDLE_S", 0.0)
    assert await chain.file(FILE_ID) == FILE
    assert 2 == sum(method == "system_health" for method, _ in node.asked())


async def test_who_goes_leaves_no_connection_behind(
    make_node: Callable[..., Node], reading: Callable[..., CessChain]
) -> None:
    """A caller that is cancelled in the middle does not disturb the next one."""
    node = make_node(state=STATE, faults={"state_queryStorageAt": {"hang": HANG_S}})
    chain = reading(node.ws)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await chain.located(FILE_ID)
    assert await chain.file(FILE_ID) == FILE
