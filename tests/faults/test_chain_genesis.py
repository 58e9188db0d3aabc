"""Endpoints of another chain: a second real node with a block 0 of its own, in the lists of a sidecar."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from caregrid.chain import BlockRef, Genesis, SubstrateChain
from caregrid.errors import ChainUnreachable, ConfigInvalid
from caregrid.keys import FileKeyStore, Identity, KdfCost
from ocw_sidecar import operating, supervisor
from ocw_sidecar.adapters.opening import open_database
from ocw_sidecar.adapters.sql.clock import SqlBlockLog
from ocw_sidecar.ports import utc_now
from ocw_sidecar.settings import Settings
from tests.faults.private_node import url_of
from tests.faults.remarks import funded, remark, submitter
from tests.faults.scripted_node import ScriptedNode
from tests.integration.node_process import Node, free_ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from caregrid.chain import Submitter

PASSPHRASE = "for tests only"
CHEAP = KdfCost(memory_kib=64, iterations=1, lanes=1)
#: All that an endpoint of another chain is ever asked.
ONE_LOOK = {"chain_getBlockHash": 1}


@pytest.fixture(scope="module")
def other_node(node_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One of the validators of the local chain, alone: another block 0, and none that is final after it."""
    folder = tmp_path_factory.mktemp("other")
    rpc_port, port = free_ports(2)
    places = [f"--base-path={folder / 'chain'}", f"--listen-addr=/ip4/127.0.0.1/tcp/{port}"]
    node = Node(
        name="other",
        program=node_program,
        folder=folder,
        rpc_port=rpc_port,
        options=["--chain=local", "--alice", f"--node-key={bytes(31).hex()}01", "--no-prometheus", *places],
    )
    node.start()
    try:
        node.wait_ready()
        yield node
    finally:
        node.stop()


@pytest.fixture
async def foreign(other_node: Node) -> AsyncIterator[ScriptedNode]:
    """That node, with a note of what it is asked."""
    async with ScriptedNode(url_of(other_node)).listening() as node:
        yield node


@asynccontextmanager
async def closing(*opened: SubstrateChain | Submitter) -> AsyncIterator[None]:
    """Close what was opened."""
    async with AsyncExitStack() as stack:
        for each in opened:
            stack.push_async_callback(each.close)
        yield


async def genesis_of(url: str) -> BlockRef:
    """Return a chain's block 0."""
    chain = SubstrateChain([url])
    async with closing(chain):
        block = await chain.block(0)
    assert block is not None
    return block


async def test_it_is_refused_at_connect(node_url: str, foreign: ScriptedNode) -> None:
    """For reading and for submitting, though it is the first in the list; the next one serves."""
    genesis = await genesis_of(node_url)
    [who] = await asyncio.to_thread(funded, node_url, 1)
    urls = [foreign.url, node_url]
    chain, own = SubstrateChain(urls, genesis=genesis.hash), submitter(who, *urls, genesis=genesis.hash)
    async with closing(chain, own):
        receipt = await own.submit(remark())
        assert receipt.block.number <= (await chain.finalized_head()).number
    assert {"chain_getBlockHash": 2} == dict(foreign.asked)


async def test_the_first_that_connects_decides_for_all(node_url: str, foreign: ScriptedNode) -> None:
    """Before anything was followed nothing is known: still, two connections never serve two chains."""
    [who] = await asyncio.to_thread(funded, node_url, 1)
    same = Genesis()
    chain, own = (
        SubstrateChain([node_url], genesis=same),
        submitter(who, foreign.url, genesis=same),
    )
    async with closing(chain, own):
        await chain.finalized_head()
        with pytest.raises(ConfigInvalid, match="another chain"):
            await own.submit(remark())
    assert ONE_LOOK == dict(foreign.asked)


async def test_while_ours_is_away_the_other_does_not_stand_in(node_url: str, foreign: ScriptedNode) -> None:
    """Our node is waited for."""
    async with ScriptedNode(node_url).listening() as ours:
        chain = SubstrateChain([ours.url, foreign.url])
        async with closing(chain):
            await chain.finalized_head()
            await ours.fail()
            with pytest.raises(ChainUnreachable):
                await chain.finalized_head()
            ours.down = False
            await chain.finalized_head()
    assert ONE_LOOK == dict(foreign.asked)


@pytest.fixture
def settings(tmp_path: Path, foreign: ScriptedNode) -> Settings:
    """An operator's settings that name the other node alone."""
    identity = Identity.generate()
    identity.save(tmp_path / "operator.json", PASSPHRASE, cost=CHEAP)
    FileKeyStore.create(tmp_path / "keystore.json", PASSPHRASE, cost=CHEAP)
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    return Settings.load(
        home=tmp_path, organisation=bytes(32), port=0, min_free_disk=0, chain_urls=[foreign.url]
    )


async def test_a_sidecar_stays_with_the_chain_that_it_followed(
    settings: Settings, node_url: str, foreign: ScriptedNode
) -> None:
    """Its cursor says which; neither the daemon nor a single run asks another one for more than block 0."""
    genesis = await genesis_of(node_url)
    async with open_database(settings) as database:
        log = SqlBlockLog(database, organisation=settings.organisation, now=utc_now, folds=[])
        assert await log.begin(genesis, genesis.hash)
    with pytest.raises(ConfigInvalid, match="another chain"):
        async with asyncio.timeout(30):
            await supervisor.run(settings)
    assert {"chain_getBlockHash"} == set(foreign.asked)
    with pytest.raises(ConfigInvalid, match="another chain"):
        await operating.run_once(settings, "anchoring", timeout_s=10)
    assert {"chain_getBlockHash"} == set(foreign.asked)


async def test_a_sidecar_that_forgets_may_follow_another_one(
    settings: Settings, node_url: str, foreign: ScriptedNode
) -> None:
    """After `rebuild` the operator's word counts again."""
    genesis = await genesis_of(node_url)
    async with open_database(settings) as database:
        log = SqlBlockLog(database, organisation=settings.organisation, now=utc_now, folds=[])
        assert await log.begin(genesis, genesis.hash)
    await operating.rebuild(settings)
    done = await operating.run_once(settings, "anchoring", timeout_s=10)
    assert (None, False) == (done.reason, done.by_daemon)
    followed = (await operating.status(settings))["clock"]
    assert 0 == followed["block"], "nothing of the other chain is final but block 0"
    assert foreign.asked["chain_getFinalizedHead"]
