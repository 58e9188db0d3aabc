"""Whatever becomes of the connection and the pool: each call happens once, and its caller learns of it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from caregrid.chain import Receipt, SubstrateChain, SubstrateSubmitter, client, flights, signing
from caregrid.chain import submitter as submitting
from caregrid.chain.blocks import extrinsic_hash
from caregrid.errors import (
    CallLapsed,
    CallRejected,
    ChainBusy,
    ChainTimeout,
    ChainUnreachable,
    KeyStoreLocked,
)
from tests.faults.remarks import digest, funded, reach, remark, said, submitter
from tests.faults.scripted_node import (
    ScriptedNode,
    always,
    cut,
    cut_after,
    error,
    once,
    silent,
    silent_after,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from caregrid.keys import Identity

SUBMIT: Final = "author_submitExtrinsic"
#: Tests that sign for an account of their own.
ACCOUNTS: Final = 24


@pytest.fixture(scope="module")
def accounts(node_url: str) -> list[Identity]:
    """Accounts with tokens that nobody has used."""
    return funded(node_url, ACCOUNTS)


@pytest.fixture
def who(accounts: list[Identity]) -> Identity:
    """One of them."""
    return accounts.pop()


@asynccontextmanager
async def rig(url: str, who: Identity) -> AsyncIterator[tuple[ScriptedNode, SubstrateSubmitter]]:
    """Yield a scripted node and a submitter that knows no other; it has connected."""
    async with ScriptedNode(url).listening() as node:
        own = submitter(who, node.url)
        await own._connection.run(lambda client: client.final_head())
        try:
            yield node, own
        finally:
            await own.close()


async def swallowed(params: list[Any], _: Any) -> dict[str, Any]:
    """Say that the extrinsic is in the pool, and forget it."""
    raw = bytes.fromhex(params[0][2:])
    return {"result": "0x" + extrinsic_hash(raw).hex()}


def noting(sent: list[str], script: Any) -> Any:
    """Note what is submitted, and follow the script."""

    async def noted(params: list[Any], ask: Any) -> Any:
        sent.append(params[0])
        return await script(params, ask)

    return noted


async def forwarded(_: list[Any], ask: Any) -> Any:
    """Do as the node does."""
    return await ask()


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(cut, id="cut-before"),
        pytest.param(cut_after, id="cut-after"),
        pytest.param(silent, id="silent-before"),
        pytest.param(silent_after, id="silent-after"),
        pytest.param(always(error(1013, "Already Imported")), id="1013-not-there"),
        pytest.param(always(error(1012, "Temporarily Banned")), id="1012-not-there"),
        pytest.param(always(error(-32_000, "Server is busy")), id="busy"),
        pytest.param(swallowed, id="swallowed"),
    ],
)
async def test_a_call_whose_fate_is_unknown_happens_once(
    node_url: str, who: Identity, monkeypatch: pytest.MonkeyPatch, fault: Any
) -> None:
    """The very same bytes are sent again, nothing is signed anew, and others' calls follow."""
    monkeypatch.setattr(client, "RPC_TIMEOUT_S", 2.0)
    monkeypatch.setattr(submitting, "OFFER_AGAIN_AFTER", 1)
    sent: list[str] = []
    wanted = [remark() for _ in range(3)]
    async with rig(node_url, who) as (node, own):
        node.scripts[SUBMIT] = noting(sent, once(forwarded, fault))
        results = await own.submit_many(wanted)
    assert all(isinstance(result, Receipt) for result in results), results
    assert len(set(sent)) <= len(wanted) + 1  # behind the lost one, a nonce may have been taken for free
    assert sorted(map(digest, wanted)) == sorted(await said(node_url, who.account))


async def test_what_a_pool_loses_holds_up_the_others_for_a_moment_only(node_url: str, who: Identity) -> None:
    """One of many is lost, those behind it wait for it: it is offered again long before an era is over."""
    wanted = [remark() for _ in range(40)]
    async with rig(node_url, who) as (node, own):
        node.scripts[SUBMIT] = once(*([forwarded] * 20), swallowed, swallowed)
        results = await own.submit_many(wanted)
    heights = [result.block.number for result in results if isinstance(result, Receipt)]
    assert len(wanted) == len(heights)
    assert submitting.STALLED_AFTER <= max(heights) - min(heights) < submitting.OFFER_AGAIN_AFTER
    assert list(map(digest, wanted)) == await said(node_url, who.account)


async def test_a_chain_that_waits_for_calls_is_given_a_lost_one_again(
    node_url: str, who: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No block follows, so no count of blocks can tell that the call is lost: the time does."""
    monkeypatch.setattr(submitting, "OFFER_AGAIN_AFTER_S", 5.0)  # longer than a block takes, once they come
    for name in ("STALLED_AFTER", "OFFER_AGAIN_AFTER"):
        monkeypatch.setattr(submitting, name, 100)  # the blocks that were held back come all at once
    call = remark()
    sent: list[str] = []
    async with rig(node_url, who) as (node, own):
        head = await own._connection.run(lambda client: client.final_head())

        async def standing_still(_: list[Any], ask: Any) -> Any:
            return {"result": "0x" + head.hash.hex()} if len(sent) < 2 else await ask()

        node.scripts["chain_getFinalizedHead"] = standing_still
        node.scripts[SUBMIT] = noting(sent, once(swallowed))
        await own.submit(call)
    assert [1, 2] == [len(set(sent)), len(sent)]
    assert [digest(call)] == await said(node_url, who.account)


async def test_an_answer_that_is_lost_costs_no_second_signature(node_url: str, who: Identity) -> None:
    """Of a single call, one extrinsic was ever made."""
    sent: list[str] = []
    call = remark()
    async with rig(node_url, who) as (node, own):
        node.scripts[SUBMIT] = noting(sent, once(cut_after))
        receipt = await own.submit(call)
    assert {receipt.extrinsic_hash} == {extrinsic_hash(bytes.fromhex(raw[2:])) for raw in sent}
    assert [digest(call)] == await said(node_url, who.account)


async def test_a_taken_nonce_is_counted_anew(node_url: str, who: Identity) -> None:
    """1014: another extrinsic with this nonce is in the pool; the call is signed again, with the next."""
    sent: list[str] = []
    call = remark()
    async with rig(node_url, who) as (node, own):
        node.scripts[SUBMIT] = noting(sent, once(always(error(1014, "Priority is too low"))))
        await own.submit(call)
        node.scripts[SUBMIT] = always(error(1014, "Priority is too low"))
        with pytest.raises(CallRejected, match="own operator key"):
            await own.submit(remark())
    assert 2 == len(set(sent))
    assert [digest(call)] == await said(node_url, who.account)


async def test_a_usurped_call_is_signed_again(node_url: str, who: Identity) -> None:
    """Another process has used the nonce and is final: ours never will be, so it is signed anew."""
    ours, theirs = remark(), remark()
    async with rig(node_url, who) as (node, own):
        node.scripts[SUBMIT] = once(swallowed)
        other = submitter(who, node_url)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(own.submit(ours))
            await other.submit(theirs)
            await waiting
        await other.close()
    assert [digest(theirs), digest(ours)] == await said(node_url, who.account)


async def test_a_full_pool_is_waited_for(
    node_url: str, who: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1016: the calls go in, in their order, when there is room; for so long."""
    monkeypatch.setattr(submitting, "POOL_POLL_S", 0.05)
    full = always(error(1016, "Immediately Dropped"))
    wanted = [remark() for _ in range(3)]
    async with rig(node_url, who) as (node, own):
        node.scripts[SUBMIT] = once(forwarded, full, full, full)
        results = await own.submit_many(wanted)
        assert all(isinstance(result, Receipt) for result in results)
        monkeypatch.setattr(submitting, "POOL_FULL_TIMEOUT_S", 0.2)
        node.scripts[SUBMIT] = full
        refused = await own.submit_many([remark(), remark()])
    assert [ChainBusy, ChainBusy] == [type(each) for each in refused]
    assert [digest(call) for call in wanted] == await said(node_url, who.account)


async def test_finality_that_stalls_leaves_the_outcome_open(
    node_url: str, who: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller learns from which block on a look at the chain settles it; until then nothing is signed."""
    monkeypatch.setattr(submitting, "FINALITY_TIMEOUT_S", 3.0)
    call = remark()
    async with rig(node_url, who) as (node, own):
        head = await own._connection.run(lambda client: client.final_head())
        node.scripts["chain_getFinalizedHead"] = always({"result": "0x" + head.hash.hex()})
        with pytest.raises(ChainTimeout) as raised:
            await own.submit(call)
        assert type(raised.value) is ChainTimeout
        assert head.number + signing.ERA_PERIOD == raised.value.settled_at
        monkeypatch.setattr(flights, "ERA_PERIOD", 4)
        await reach(node_url, head.number + 4)
        with pytest.raises(ChainUnreachable, match="not final"):
            await own.submit(remark())
    assert [digest(call)] == await said(node_url, who.account)


async def test_a_call_that_is_never_included_lapses(
    node_url: str, who: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When its era has ended, and not before; then it is known not to have happened."""
    for module in (signing, flights):
        monkeypatch.setattr(module, "ERA_PERIOD", 4)
    async with rig(node_url, who) as (node, own):
        node.scripts[SUBMIT] = swallowed
        born = (await own._connection.run(lambda client: client.final_head())).number
        with pytest.raises(CallLapsed):
            await own.submit(remark())
        assert born + 4 <= (await own._connection.run(lambda client: client.final_head())).number
        del node.scripts[SUBMIT]
        call = remark()
        await own.submit(call)
    assert [digest(call)] == await said(node_url, who.account)


async def test_a_cancelled_call_leaves_no_gap(node_url: str, who: Identity) -> None:
    """Wherever its caller gives up, the next call has a nonce that fits, and none happens twice."""
    wanted = [remark() for _ in range(6)]
    async with rig(node_url, who) as (node, own):
        for delay_s, call in zip((0.0, 0.003, 0.006, 0.01, 0.02), wanted, strict=False):
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(own.submit(call))
                await asyncio.sleep(delay_s)
                waiting.cancel()
        async with asyncio.timeout(30):
            await own.submit(wanted[-1])
    happened = await said(node_url, who.account)
    assert len(happened) == len(set(happened))
    assert digest(wanted[-1]) == happened[-1]
    assert set(happened) <= set(map(digest, wanted))
    assert node.asked[SUBMIT] >= len(happened)


async def test_an_unreachable_chain_is_told_at_once(node_url: str, who: Identity) -> None:
    """Nothing was sent, of any of the calls; they are not tried one by one."""
    async with rig(node_url, who) as (node, own):
        await node.fail()
        async with asyncio.timeout(10):
            results = await own.submit_many([remark() for _ in range(200)])
    assert {ChainUnreachable} == {type(result) for result in results}
    assert [] == await said(node_url, who.account)


async def test_a_call_that_cannot_be_encoded_leaves_the_others(node_url: str, who: Identity) -> None:
    """It takes no nonce."""
    wanted = [remark(), type(remark())(pallet="System", function="no_such_call"), remark()]
    async with rig(node_url, who) as (_, own):
        first, second, third = await own.submit_many(wanted)
    assert isinstance(first, Receipt)
    assert "no call System.no_such_call" in str(second)
    assert isinstance(third, Receipt)


async def test_a_key_store_that_fails_is_no_broken_connection(node_url: str, who: Identity) -> None:
    """Typed, and without its words; the connection stays."""
    canary = "canary-of-the-key-store"

    def locked(_: bytes) -> bytes:
        raise OSError(canary)

    async with ScriptedNode(node_url).listening() as node:
        own = SubstrateSubmitter([node.url], account=who.account, sign=locked)
        with pytest.raises(KeyStoreLocked) as raised:
            await own.submit(remark())
        await own.close()
    assert canary not in str(raised.value)
    assert 1 == node.connections


async def test_many_that_wait_ask_together(node_url: str, who: Identity) -> None:
    """Thirty waiters cost the node hardly more questions than one."""
    async with rig(node_url, who) as (node, own):
        await asyncio.gather(*(own.submit(remark()) for _ in range(30)))
        heads = node.asked["chain_getFinalizedHead"]
        looks = heads - 30  # each signs with a look of its own
    assert looks < 60
    assert 30 == len(set(await said(node_url, who.account)))


async def test_a_reader_sees_it_where_the_receipt_says(node_url: str, who: Identity) -> None:
    """The block of the receipt holds the extrinsic, by hash."""
    async with rig(node_url, who) as (_, own):
        receipt = await own.submit(remark())
    chain = SubstrateChain([node_url])
    block = await anext(aiter(chain.finalized_blocks(receipt.block.number)))
    await chain.close()
    assert receipt.block == block.ref
    assert set(map(repr, receipt.events)) <= set(map(repr, block.events))
