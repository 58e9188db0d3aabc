"""The chain's runtime is replaced in the middle of a run, on the real node."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pytest

from caregrid.chain import Call, Receipt, SubstrateChain, flights
from caregrid.keys import Identity
from tests.faults.newer_runtime import newer
from tests.faults.private_node import private_node, url_of
from tests.faults.remarks import digest, funded, reach, remark, said, submitter
from tests.faults.scripted_node import Ask, ScriptedNode, always, once
from tests.faults.test_chain_outcomes import SUBMIT, swallowed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from caregrid.chain import FinalizedBlock, SubstrateSubmitter
    from tests.integration.node_process import Node

#: The development genesis makes her the superuser.
SUDO: Final = "//Alice"
#: Each successful extrinsic has this event; the new runtime calls it something else.
RENAMED: Final = (b"ExtrinsicSuccess", b"ExtrinsicSuccesZ")
#: Calls a moment while the runtime changes.
PAUSE_S: Final = 0.1


@pytest.fixture
def own_node(node_program: Path, tmp_path: Path) -> Iterator[Node]:
    """A node whose chain may be upgraded."""
    with private_node(node_program, tmp_path) as node:
        yield node


async def test_an_upgrade_loses_and_doubles_nothing(own_node: Node, node_program: Path) -> None:
    """Calls before, during, after; the block that applies it is read by the old one, the next by the new."""
    url = url_of(own_node)
    code, version = newer((node_program.parent / "runtime.wasm").read_bytes(), renamed=RENAMED)
    [who, unlucky] = await asyncio.to_thread(funded, url, 2)
    chain = SubstrateChain([url])
    assert version - 1 == await chain.spec_version()
    async with ScriptedNode(url).listening() as node:
        node.scripts[SUBMIT] = once(swallowed)
        steady, lost, sudo = submitter(who, url), submitter(unlucky, node.url), submitter(sudoer(), url)
        calls_made: list[Call] = []
        upgraded = asyncio.Event()
        forgotten = remark()
        async with asyncio.TaskGroup() as group:
            # In a pool that forgot it: signed for the old runtime, and never included.
            waiting = group.create_task(lost.submit(forgotten))
            results = group.create_task(keep_calling(steady, calls_made, upgraded))
            applied = await sudo.submit(upgrade_to(code))
            await asyncio.sleep(4.0)
            upgraded.set()
        for each in (steady, lost, sudo):
            await each.close()
    assert [] == [result for result in results.result() if not isinstance(result, Receipt)]
    assert isinstance(waiting.result(), Receipt)
    assert version == await chain.spec_version()
    assert (await chain.balance(who.account)) > 0
    blocks = await all_blocks(chain)
    await chain.close()

    assert list(range(1, len(blocks) + 1)) == [block.ref.number for block in blocks]
    old, new = (name.decode() for name in RENAMED)
    height = applied.block.number
    for block in blocks:
        assert names(block) & {old, new} == {old if block.ref.number <= height else new}
    assert "CodeUpdated" in names(blocks[height - 1])
    assert sorted(map(digest, calls_made)) == sorted(await said(url, who.account))
    assert [digest(forgotten)] == await said(url, unlucky.account)


async def test_a_nonce_that_an_upgrade_leaves_open_is_used(node_url: str) -> None:
    """Also while the pool counts what was signed for the old runtime: else all that follows would wait."""
    [who] = await asyncio.to_thread(funded, node_url, 1)
    first, second = remark(), remark()
    async with ScriptedNode(node_url).listening() as node:
        own = submitter(who, node.url)
        await own._connection.run(lambda client: client.final_head())

        async def earlier(_: list[Any], ask: Ask) -> dict[str, Any]:
            answer = await ask()
            answer["result"]["specVersion"] -= 1
            return answer

        node.scripts["state_getRuntimeVersion"] = earlier
        node.scripts[SUBMIT] = once(swallowed)
        await own._connection.run(lambda client: client._versions.clear())
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(own.submit(first))
            while not node.asked[SUBMIT]:  # noqa: ASYNC110 - a look from outside
                await asyncio.sleep(0.01)
            del node.scripts["state_getRuntimeVersion"]
            node.scripts["system_accountNextIndex"] = always({"result": 1})
            await own._connection.run(lambda client: client._versions.clear())
            await asyncio.wait_for(own.submit(second), 60)
        await own.close()
    assert isinstance(waiting.result(), Receipt)
    assert [digest(first), digest(second)] == await said(node_url, who.account)


async def test_what_is_signed_is_for_the_next_block(node_url: str) -> None:
    """In the block that applies an upgrade: it ran on the old runtime, the next one will run on the new."""
    await reach(node_url, 2)
    async with ScriptedNode(node_url).listening() as node:
        own = submitter(sudoer(), node.url)
        best, present = await own._connection.run(
            lambda client: (client.get_chain_head(), client.runtime.version.spec)
        )

        async def upgraded_in_best(params: list[Any], ask: Ask) -> dict[str, Any]:
            answer = await ask()
            if params == [best]:
                # A number that no other test gives to other metadata of this chain.
                answer["result"]["specVersion"] += 1_000
            return answer

        node.scripts["chain_getHead"] = always({"result": best})
        node.scripts["state_getRuntimeVersion"] = upgraded_in_best
        await own._connection.run(lambda client: client._versions.clear())
        [signed] = await own._connection.run(
            lambda client: flights.prepare(client, own.account, own._sign, [remark()], None)
        )
        await own.close()
    assert isinstance(signed, flights.Signed)
    assert present + 1_000 == signed.spec


async def keep_calling(
    own: SubstrateSubmitter, made: list[Call], stop: asyncio.Event
) -> list[Receipt | Exception]:
    """Submit calls at a steady pace until told to stop; return what came of each."""
    tasks: list[asyncio.Task[list[Receipt | Exception]]] = []
    async with asyncio.TaskGroup() as group:
        while not stop.is_set():
            wanted = [remark() for _ in range(2)]
            made += wanted
            tasks.append(group.create_task(own.submit_many(wanted)))
            await asyncio.sleep(PAUSE_S)
    return [result for task in tasks for result in task.result()]


def upgrade_to(code: bytes) -> Call:
    """Return the superuser's call that replaces the runtime."""
    inner = {
        "call_module": "System",
        "call_function": "set_code",
        "call_args": {"code": "0x" + code.hex()},
    }
    weight = {"ref_time": 0, "proof_size": 0}
    return Call(pallet="Sudo", function="sudo_unchecked_weight", params={"call": inner, "weight": weight})


def sudoer() -> Identity:
    """Return the superuser."""
    return Identity.from_uri(SUDO)


def names(block: FinalizedBlock) -> set[str]:
    """Return the names of the pallet System's events in a block."""
    return {event.name for event in block.events if event.pallet == "System"}


async def all_blocks(chain: SubstrateChain) -> list[FinalizedBlock]:
    """Return every finalized block."""
    head, found = (await chain.finalized_head()).number, list[Any]()
    async for block in chain.finalized_blocks(1):
        found.append(block)
        if block.ref.number == head:
            break
    return found
