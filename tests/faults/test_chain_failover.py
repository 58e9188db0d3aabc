"""Endpoints that are silent, behind, noisy, foreign or gone: another serves, and nothing goes backwards."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
import traceback
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import pytest

from caregrid.chain import SubstrateChain, blocks, client, connection, worker
from caregrid.chain.connection import Connection
from caregrid.chain.exclusion import CODEC
from caregrid.errors import CaregridError, ChainUnreachable, ConfigInvalid, StateDiscarded
from tests.faults.scripted_node import (
    ScriptedNode,
    always,
    cut,
    error,
    garbage,
    once,
    silent,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: Far longer than anything here takes, far shorter than what the constants say.
SHORT_S: Final = 1.0
SECRET: Final = "canary-5d41402abc4b2a76"
#: A finalized head that was never heard of.
ELSEWHERE: Final = "0x" + "ab" * 32


@asynccontextmanager
async def nodes(url: str, count: int) -> AsyncIterator[list[ScriptedNode]]:
    """Yield so many scripted nodes of one chain."""
    async with AsyncExitStack() as opened:
        yield [await opened.enter_async_context(ScriptedNode(url).listening()) for _ in range(count)]


@asynccontextmanager
async def chain_of(*urls: str, genesis: bytes | None = None) -> AsyncIterator[SubstrateChain]:
    """Yield a chain over endpoints, and close it."""
    chain = SubstrateChain(urls, genesis=genesis)
    try:
        yield chain
    finally:
        await chain.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a node a moment only."""
    monkeypatch.setattr(client, "RPC_TIMEOUT_S", SHORT_S)
    monkeypatch.setattr(worker, "CONNECT_TIMEOUT_S", SHORT_S)


@pytest.mark.usefixtures("impatient")
async def test_an_endpoint_that_never_answers_is_left(node_url: str) -> None:
    """Silent from the start, or in the middle: the deadline passes, the next one serves, and stays."""
    async with nodes(node_url, 2) as (first, second), chain_of(first.url, second.url) as chain:
        first.scripts["chain_getBlockHash"] = silent
        await chain.finalized_head()
        assert (1, 1) == (first.connections, second.connections)
        second.scripts["chain_getFinalizedHead"] = silent
        del first.scripts["chain_getBlockHash"]
        await chain.finalized_head()
        await chain.finalized_head()
        assert (2, 1) == (first.connections, second.connections)


@pytest.mark.usefixtures("impatient")
async def test_an_endpoint_that_only_accepts_is_left(node_url: str) -> None:
    """It takes the TCP connection and never says anything."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as mute:
        url = f"ws://127.0.0.1:{mute.sockets[0].getsockname()[1]}"
        begun = time.monotonic()
        async with chain_of(url, node_url) as chain:
            await chain.finalized_head()
        assert time.monotonic() - begun < 10 * SHORT_S


async def test_one_reconnection_for_one_failure(node_url: str) -> None:
    """A cut connection is made anew once, and the question asked again; the caller hears nothing of it."""
    async with nodes(node_url, 1) as (node,), chain_of(node.url) as chain:
        await chain.finalized_head()
        await node.cut()
        await asyncio.gather(*(chain.finalized_head() for _ in range(5)))
        assert 2 == node.connections
        node.scripts["chain_getFinalizedHead"] = cut
        with pytest.raises(ChainUnreachable):
            await chain.finalized_head()
        assert 3 == node.connections


@pytest.mark.parametrize("answer", [garbage, always(error(-32_000, SECRET)), always({"result": None})])
async def test_nonsense_makes_another_endpoint_serve(node_url: str, answer: Any) -> None:
    """HTML, an error, a block that it does not know: no such answer reaches the caller."""
    async with nodes(node_url, 2) as (first, second), chain_of(first.url, second.url) as chain:
        await chain.finalized_head()
        first.scripts["chain_getHeader"] = answer
        await chain.finalized_head()
        second.scripts["chain_getHeader"] = answer
        with pytest.raises(ChainUnreachable) as raised:
            await chain.finalized_head()
        assert SECRET not in str(raised.value)


async def test_messages_that_nobody_asked_for_are_dropped(node_url: str) -> None:
    """They neither pass for answers nor pile up."""
    async with nodes(node_url, 1) as (node,), chain_of(node.url) as chain:
        node.noise = True
        for _ in range(50):
            await chain.finalized_head()
        kept = vars(chain._connection._worker.client.transport)
        assert [[]] == [value for value in kept.values() if isinstance(value, list)]


async def test_the_head_never_goes_backwards(node_url: str) -> None:
    """An endpoint that is far behind does not serve; when it has caught up, it does."""
    async with nodes(node_url, 2) as (first, second), chain_of(first.url, second.url) as chain:
        seen = (await await_height(chain, 5)).number
        second.scripts["chain_getFinalizedHead"] = frozen_at(0)
        await first.fail()
        with pytest.raises(ChainUnreachable):
            await chain.finalized_head()
        assert 0 < second.connections
        del second.scripts["chain_getFinalizedHead"]
        assert seen <= (await chain.finalized_head()).number


async def test_an_endpoint_that_falls_behind_is_left(node_url: str) -> None:
    """In the middle of a connection, too, and it stands behind the others from then on."""
    async with nodes(node_url, 2) as (first, second), chain_of(first.url, second.url) as chain:
        seen = (await await_height(chain, 5)).number
        first.scripts["chain_getFinalizedHead"] = frozen_at(0)
        assert seen <= (await chain.finalized_head()).number
        assert (1, 1) == (first.connections, second.connections)
        asked = first.asked.total()
        for _ in range(3):
            await chain.finalized_head()
        assert asked == first.asked.total()


async def test_a_node_that_is_a_block_behind_is_waited_for(node_url: str) -> None:
    """Blocks take their time from node to node: the next one in the list need not have the last one yet."""
    async with nodes(node_url, 2) as (first, second), chain_of(first.url, second.url) as chain:
        seen = await await_height(chain, 3)
        late = frozen_at(seen.number - 1)
        second.scripts["chain_getFinalizedHead"] = once(late, late, late)
        await first.fail()
        assert seen.number <= (await chain.finalized_head()).number
        assert 1 == second.connections


async def test_only_what_is_final_at_this_endpoint_counts(node_url: str) -> None:
    """A best block of the right number is no finalized one: another endpoint has to say what it is."""
    async with nodes(node_url, 2) as (first, second), chain_of(first.url, second.url) as chain:
        head = await await_height(chain, 3)
        first.scripts["chain_getFinalizedHead"] = frozen_at(head.number - 2)
        first.scripts["chain_getBlockHash"] = always({"result": ELSEWHERE})
        run = chain._connection.run
        assert head == await run(lambda client: _forgetful(client, head.number))
        assert 1 == second.connections


def _forgetful(client: Any, number: int) -> Any:
    client._final_here = -1
    return blocks.block_at(client, number)


async def test_a_final_block_that_is_replaced_stops_the_follower(node_url: str) -> None:
    """The next block has to follow the one that was yielded last."""
    async with nodes(node_url, 1) as (node,), chain_of(node.url) as chain:
        await await_height(chain, 4)
        followed = chain.finalized_blocks(1)
        first = await anext(followed)
        assert 1 == first.ref.number

        async def other_parent(_: list[Any], ask: Any) -> dict[str, Any]:
            answer: dict[str, Any] = await ask()
            return {"result": {**answer["result"], "parentHash": "0x" + first.ref.hash[::-1].hex()}}

        node.scripts["chain_getHeader"] = other_parent
        chain._connection._worker.client._parents.clear()
        with pytest.raises(CaregridError):
            await anext(followed)


async def test_the_preferred_endpoint_serves_again(node_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some time after it is back; while it is not, the other one goes on serving on the same connection."""
    monkeypatch.setattr(worker, "RETURN_AFTER_S", 0.0)
    monkeypatch.setattr("caregrid.chain.endpoints.AVOIDED_S", 0.0)
    async with nodes(node_url, 2) as (first, second), chain_of(first.url, second.url) as chain:
        first.down = True
        for _ in range(3):
            await chain.finalized_head()
        assert (0, 1) == (first.connections, second.connections)
        first.down = False
        for _ in range(3):
            await chain.finalized_head()
        asked = second.asked.total()
        await chain.finalized_head()
        assert (1, 1, asked) == (first.connections, second.connections, second.asked.total())


async def test_each_endpoint_has_to_be_of_the_same_chain(node_url: str) -> None:
    """One of another chain is never asked for anything, on whichever switch it is found out."""
    async with nodes(node_url, 3) as (first, foreign, third):
        foreign.scripts["chain_getBlockHash"] = always({"result": ELSEWHERE})
        async with chain_of(first.url, foreign.url, third.url) as chain:
            await chain.finalized_head()
            await first.fail()
            await chain.finalized_head()
            assert 1 == third.connections
            await third.fail()
            with pytest.raises(ChainUnreachable):
                await chain.finalized_head()
        assert {"chain_getBlockHash": 1} == dict(foreign.asked)
        async with chain_of(foreign.url, genesis=bytes(32)) as chain:
            with pytest.raises(ConfigInvalid):
                await chain.finalized_head()


async def test_state_that_is_gone_is_looked_for_elsewhere(node_url: str) -> None:
    """A node that keeps the past may stand in the list; without one the error says what to do."""
    gone = error(4003, "Client error: Api called for an unknown Block: State already discarded for 0x00")
    async with nodes(node_url, 2) as (first, second), chain_of(first.url, second.url) as chain:
        await await_height(chain, 2)
        first.scripts["state_getStorage"] = always(gone)
        followed = chain.finalized_blocks(1)
        assert 1 == (await anext(followed)).ref.number
        second.scripts["state_getStorage"] = always(gone)
        with pytest.raises(StateDiscarded, match="archive"):
            await anext(followed)


async def test_a_connection_is_replaced_now_and_then(node_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metadata is read once for the process, and the library's classes do not become more."""
    monkeypatch.setattr(worker, "RECYCLE_AFTER", 3)
    async with nodes(node_url, 1) as (node,), chain_of(node.url) as chain:
        await read_much(chain, 12)
        before, opened, read = classes(), node.connections, node.asked["state_getMetadata"]
        await read_much(chain, 60)
        assert opened + 10 < node.connections
        assert read == node.asked["state_getMetadata"] <= 1
        assert before == classes()


async def read_much(chain: SubstrateChain, times: int) -> None:
    """Read state, what the runtime answers, and blocks."""
    height = (await chain.finalized_head()).number
    for number in range(times):
        await chain.grants_of_record(bytes(16))
        await chain.balance(bytes(32))
        await anext(chain.finalized_blocks(max(1, height - number % 3)))


def classes() -> int:
    """Return how many classes the codec has."""
    from scalecodec.base import RuntimeConfigurationObject, ScaleDecoder  # noqa: PLC0415 - slow to import

    gc.collect()
    return len(RuntimeConfigurationObject.all_subclasses(ScaleDecoder))


async def test_a_stuck_thread_is_replaced(node_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its caller is told after the deadline, who waited behind it is served, and so is who comes later."""
    monkeypatch.setattr(connection, "RUN_TIMEOUT_S", SHORT_S)
    stuck, release = Connection([node_url]), threading.Event()

    def hang(_: Any) -> None:
        # As in a system call: it hears of nothing.
        with CODEC.given_up():
            release.wait(60)

    try:
        await stuck.run(blocks.finalized_head)
        hung = asyncio.ensure_future(stuck.run(hang))  # noqa: TID251 - a test
        await asyncio.sleep(0.1)
        behind = asyncio.gather(*(stuck.run(blocks.finalized_head) for _ in range(3)))
        with pytest.raises(ChainUnreachable):
            await hung
        assert 3 == len(await behind)
        await stuck.run(blocks.finalized_head)
    finally:
        release.set()
        await stuck.close()


async def test_an_endpoint_that_drips_is_cut(node_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then keeps every single wait short; the deadline is on the whole."""
    monkeypatch.setattr(connection, "RUN_TIMEOUT_S", SHORT_S)
    threads = threading.active_count()
    async with nodes(node_url, 1) as (node,), dripping(node) as url:
        slow = Connection([url])
        with pytest.raises(ChainUnreachable):
            await slow.run(blocks.finalized_head)
        await slow.close()
    await until(lambda: threading.active_count() <= threads)


@asynccontextmanager
async def dripping(node: ScriptedNode) -> AsyncIterator[str]:
    """Yield the URL of a node whose answers come byte by byte, for ever."""
    stopped = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", int(node.url.rpartition(":")[2]))
        up_writer.write(await reader.readuntil(b"\r\n\r\n"))
        writer.write(await up_reader.readuntil(b"\r\n\r\n"))
        up_writer.close()
        with suppress(OSError):
            # The beginning of a text of 2**40 bytes.
            writer.write(b"\x81\x7f" + (1 << 40).to_bytes(8, "big"))
            while not stopped.is_set():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(SHORT_S / 10)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        stopped.set()
        await asyncio.sleep(3 * SHORT_S / 10)


async def test_cancelled_work_leaves_the_connection_usable(node_url: str) -> None:
    """Who gives up does not disturb who comes next."""
    async with nodes(node_url, 1) as (node,), chain_of(node.url) as chain:
        await chain.finalized_head()
        for _ in range(5):
            with suppress(TimeoutError):
                async with asyncio.timeout(0.0005):
                    await chain.finalized_head()
        await chain.finalized_head()
        assert 1 == node.connections


async def test_nothing_secret_is_told(node_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A URL may hold a token or a password; neither errors nor logs have it, nor what is asked."""
    caplog.set_level(logging.DEBUG)
    person = bytes.fromhex("c0ffee" * 10 + "c0ff")
    async with nodes(node_url, 1) as (node,):
        served = node.url.replace("ws://", f"ws://user:{SECRET}@") + f"/{SECRET}?key={SECRET}"
        async with chain_of(served) as chain:
            await chain.balance(person)
            await node.fail()
            with pytest.raises(ChainUnreachable) as raised:
                await chain.balance(person)
    told = "".join(traceback.format_exception(raised.value))
    assert "127.0.0.1" in str(raised.value)
    for text in (told, caplog.text, *(str(record.args) for record in caplog.records)):
        assert SECRET not in text
        assert person.hex() not in text


async def await_height(chain: SubstrateChain, number: int) -> Any:
    """Return the finalized head, once it is that high."""
    await anext(aiter(chain.finalized_blocks(number)))
    return await chain.finalized_head()


def frozen_at(number: int) -> Any:
    """Return a script by which the finalized head is that block, whatever happens."""

    async def script(_: list[Any], ask: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await ask("chain_getBlockHash", [number])
        return answer

    return script


async def until(condition: Any) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - threads ring no bell
            await asyncio.sleep(0.05)
