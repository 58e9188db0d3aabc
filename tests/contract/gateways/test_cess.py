"""Objects on CESS: what the chain knows, beside a gateway that does not tell."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.cess import MinerState
from caregrid.chain.port import AuditOutcome
from caregrid.errors import (
    ChainUnreachable,
    ConfigInvalid,
    FileIdMismatch,
    InputEmpty,
    InputMissing,
    ObjectUnknown,
    TerritoryUnusable,
)
from caregrid.keys import Identity, KdfCost
from caregrid.storage import ObjectStat, Placement, SizedStream, TerritoryState, file_id_of
from caregrid.storage.file_id import file_id_of_segments
from ocw_sidecar.cli import doctor_cess
from tests.contract.gateways.cess import (
    FINE,
    GENESIS,
    audit_key,
    cess_network,
    deal_key,
    file_key,
    file_of,
    miner_key,
    operators,
    operators_key,
    order_key,
    with_holder,
)
from tests.contract.gateways.clients import PAIR, content_of
from tests.contract.gateways.clients import file_of as source_of
from tests.unit.cess import values
from tests.unit.cess.conftest import HEAD, serving
from tests.unit.cess.test_decoding import challenge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from caregrid.cess import CessFile
    from tests.contract.gateways.cess import CessNetwork

BODY = content_of(20_000)
FILE_ID = file_id_of(BODY)
CHEAP = KdfCost(memory_kib=64, iterations=1, lanes=1)


@pytest.fixture(scope="module")
def process() -> Iterator[str]:
    """A process that serves nodes."""
    with serving() as running:
        yield running


@pytest.fixture
async def network(process: str) -> AsyncIterator[CessNetwork]:
    """A gateway with a chain; nothing is stored."""
    async with cess_network(process) as running:
        yield running


def have(network: CessNetwork, file: CessFile) -> None:
    """Have the chain show a file of these tests' content."""
    network.gateway.extra[file_key(FILE_ID)] = values.encoded_file(file)
    network.gateway.tell()


def uploads(network: CessNetwork) -> int:
    """Return how many requests brought the gateway content."""
    return sum(method == "PUT" for method, _, _ in network.gateway.requests)


async def test_the_chain_tells_where_an_object_is(network: CessNetwork, tmp_path: Path) -> None:
    """Size and placement of what the gateway stored, which by itself tells no placement."""
    assert FILE_ID == await network.store.put(source_of(tmp_path, BODY))
    whole = Placement(needed=4, total=12, living=12, nodes=12)
    expected = ObjectStat(object_id=FILE_ID, size=len(BODY), placement=whole, restoring=0)
    assert expected == await network.store.stat(FILE_ID)
    segments = await network.store.fragments(FILE_ID)
    assert segments is not None
    assert all(each.living for each in segments[0].fragments)
    assert None is await network.store.stat(b"\x01" * 32)
    with pytest.raises(ObjectUnknown):
        await network.store.fragments(b"\x01" * 32)


async def test_lost_fragments_and_gone_miners_do_not_count(network: CessNetwork) -> None:
    """Nor two fragments of one miner as two nodes; what is being restored is told."""
    file = with_holder(file_of(BODY, lost=frozenset({1, 2})), 5, values.account(6))
    digest = file.segments[0].fragments[1].digest
    network.gateway.extra[order_key(digest)] = values.encoded_order(
        replace(values.ORDER, fragment=digest, file_id=FILE_ID)
    )
    network.gateway.extra[miner_key(0)] = values.encoded_miner(values.miner_of(MinerState.EXIT))
    have(network, file)
    stat = await network.store.stat(FILE_ID)
    assert stat is not None
    assert (Placement(needed=4, total=12, living=9, nodes=8), 1) == (stat.placement, stat.restoring)
    segments = await network.store.fragments(FILE_ID)
    assert segments is not None
    assert [0, 1, 2] == [each.index for each in segments[0].fragments if not each.living]


async def test_an_object_on_its_way_is_there_and_not_measured(network: CessNetwork, tmp_path: Path) -> None:
    """While miners take it over nothing is known of its health, and no second upload is due."""
    deal_id = file_id_of_segments([each.digest for each in values.DEAL.segments])
    network.gateway.extra[deal_key(deal_id)] = values.encoded_deal(values.DEAL)
    network.gateway.tell()
    assert ObjectStat(object_id=deal_id, size=values.DEAL.size) == await network.store.stat(deal_id)
    # What only the gateway knows yet is there, too.
    await network.store.put(source_of(tmp_path, BODY))
    network.node.state = {}
    network.node.tell()
    assert ObjectStat(object_id=FILE_ID, size=len(BODY)) == await network.store.stat(FILE_ID)


async def test_another_file_under_our_id_is_refused(network: CessNetwork) -> None:
    """The chain takes its declarer's word for what a file's segments are; we do not."""
    network.gateway.extra[file_key(b"\x02" * 32)] = values.encoded_file(file_of(BODY))
    network.gateway.tell()
    with pytest.raises(FileIdMismatch):
        await network.store.stat(b"\x02" * 32)


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (None, "no territory caregrid on the CESS chain"),
        ({"remaining": 96 << 20}, "expand it"),
        ({"deadline": HEAD - 1}, "renew it"),
        ({"state": "Frozen"}, "is frozen"),
        ({"state": "OnConsignment"}, "is on consignment"),
    ],
)
async def test_what_has_no_room_is_not_sent(
    network: CessNetwork, tmp_path: Path, change: dict[str, Any] | None, hint: str
) -> None:
    """The chain would refuse it after the upload; it is asked before."""
    network.gateway.territory = None if change is None else FINE | change
    network.gateway.tell()
    with pytest.raises(TerritoryUnusable, match=hint):
        await network.store.put(source_of(tmp_path, BODY))

    async def chunks() -> AsyncIterator[bytes]:
        yield BODY

    with pytest.raises(TerritoryUnusable, match=hint):
        await network.store.put(SizedStream(chunks=chunks(), size=len(BODY)))
    assert 0 == uploads(network)


async def test_what_is_ours_already_needs_no_room(network: CessNetwork, tmp_path: Path) -> None:
    """An upload that is repeated after a crash succeeds in a territory that it has filled itself."""
    source = source_of(tmp_path, BODY)
    await network.store.put(source)
    network.gateway.territory = FINE | {"remaining": (96 << 20) + 1}
    network.gateway.tell()
    with pytest.raises(TerritoryUnusable):
        await network.store.put(source_of(tmp_path, b"another"))
    assert FILE_ID == await network.store.put(source_of(tmp_path, BODY))


async def test_bad_sources_have_the_stores_own_errors(network: CessNetwork, tmp_path: Path) -> None:
    """A file that is empty or missing is told as without a chain."""
    with pytest.raises(InputEmpty):
        await network.store.put(source_of(tmp_path, b""))
    with pytest.raises(InputMissing):
        await network.store.put(tmp_path / "missing")


async def test_a_silent_chain_keeps_nothing_from_being_stored(process: str, tmp_path: Path) -> None:
    """The gateway refuses, if need be; but what only the chain knows cannot be told."""
    async with cess_network(process, timeout_s=0.2) as network:
        network.node.faults = {"system_health": {"hang": 30}}
        network.gateway.tell()
        assert FILE_ID == await network.store.put(source_of(tmp_path, BODY))
        for asked in (
            network.store.stat(FILE_ID),
            network.store.fragments(FILE_ID),
            network.store.territory(),
        ):
            with pytest.raises(ChainUnreachable, match=r"storage\.cess\.timeout_s"):
                await asked
        assert BODY == await network.store.read_range(FILE_ID, 0, len(BODY))


async def test_nodes_of_another_chain_never_serve(process: str, tmp_path: Path) -> None:
    """Block 0 is compared when a node is connected to; a wrong one is a fault of the settings."""
    async with cess_network(process, genesis=b"\x09" * 32) as network:
        with pytest.raises(ConfigInvalid, match="another chain"):
            await network.store.put(source_of(tmp_path, BODY))
        assert GENESIS != network.settings.genesis
        assert 0 == uploads(network)


async def test_the_chain_tells_of_the_territory(network: CessNetwork) -> None:
    """Space and end, for warnings in time; a missing one is an error that says what to do."""
    territory = await network.store.territory()
    assert territory is not None
    assert ("caregrid", TerritoryState.ACTIVE, 100 << 30) == (
        territory.name,
        territory.state,
        territory.remaining,
    )
    assert territory.deadline is not None
    network.gateway.territory = None
    network.gateway.tell()
    with pytest.raises(TerritoryUnusable, match="buy one"):
        await network.store.territory()


# The chain's own record of proofs.

GOOD = {"tee": "0x" + "06" * 32, "proof": "0x31", "result": True}
WRONG = GOOD | {"result": False}


def proved(network: CessNetwork, *, good: range, wrong: range = range(0)) -> None:
    """Have miners answer a challenge that is open."""
    for index in (*good, *wrong):
        proof = GOOD if index in good else WRONG
        asked = challenge(start=6_900, idle_slip=7_100, service_slip=7_090, service_prove=proof)
        network.gateway.extra[audit_key("ChallengeSnapShot", index)] = asked


@pytest.mark.parametrize(
    ("good", "wrong", "lost", "expected"),
    [
        (range(12), range(0), frozenset[int](), AuditOutcome.PASSED),
        (range(4), range(4, 12), frozenset[int](), AuditOutcome.PASSED),
        (range(3), range(3, 12), frozenset[int](), AuditOutcome.FAILED),
        (range(3), range(3, 11), frozenset[int](), AuditOutcome.UNKNOWN),
        (range(0), range(0), frozenset(range(8)), AuditOutcome.UNKNOWN),
        (range(0), range(0), frozenset(range(9)), AuditOutcome.FAILED),
    ],
)
async def test_an_object_fares_as_the_fourth_best_fragment(
    network: CessNetwork, good: range, wrong: range, lost: frozenset[int], expected: AuditOutcome
) -> None:
    """Four restore it: only when fewer are left that nobody lost or failed to prove, it has failed itself."""
    proved(network, good=good, wrong=wrong)
    have(network, file_of(BODY, lost=lost))
    record = await network.proofs.look(FILE_ID)
    assert record is not None
    assert expected is record.outcome
    counts = record.facts["fragments"]
    assert (12, len(wrong) + len(lost)) == (sum(counts.values()), counts.get("Failed", 0))
    assert HEAD == record.facts["block"]


async def test_miners_that_left_or_are_silent_make_it_offline(network: CessNetwork) -> None:
    """As many as the object cannot do without."""
    for index in range(9):
        network.gateway.extra[miner_key(index)] = values.encoded_miner(values.miner_of(MinerState.OFFLINE))
    have(network, file_of(BODY))
    record = await network.proofs.look(FILE_ID)
    assert record is not None
    assert AuditOutcome.OFFLINE is record.outcome


async def test_the_record_names_nobody(network: CessNetwork) -> None:
    """Block, hash and counts go into the bundle; no account, endpoint or name does."""
    proved(network, good=range(12))
    have(network, file_of(BODY))
    record = await network.proofs.look(FILE_ID)
    assert record is not None
    told = json.dumps(dict(record.facts))
    for canary in ("pack-0001", "records", "miner.example", PAIR[0].hex(), values.account(3).hex()):
        assert canary not in told
    assert await network.proofs.look(b"\x01" * 32) is None


async def test_checked_fragments_need_their_proofs(network: CessNetwork) -> None:
    """No gateway has a miner read its disk; who failed the open challenge counts as not having it."""
    proved(network, good=range(10), wrong=range(10, 12))
    have(network, file_of(BODY))
    plain, checked = (
        await network.store.fragments(FILE_ID),
        await network.store.fragments(FILE_ID, checked=True),
    )
    assert plain is not None
    assert checked is not None
    assert all(each.living for each in plain[0].fragments)
    assert [10, 11] == [each.index for each in checked[0].fragments if not each.living]


# Doctor.


async def look(network: CessNetwork, **changes: Any) -> dict[str, tuple[bool, str]]:
    """Return doctor's findings."""
    settings = network.settings.model_copy(update=changes)
    found = await doctor_cess.examine(settings, PAIR[0])
    return {each.check: (each.ok, each.detail) for each in found}


async def test_doctor_looks_at_the_chain_and_the_authorisation(network: CessNetwork) -> None:
    """Whether any gateway may act for the account, and whether those that are named may."""
    found = await look(network)
    assert (True, f"block {HEAD} is final; runtime 133") == found["CESS chain"]
    assert not found["gateway authorisation"][0]
    assert "has authorised no gateway" in found["gateway authorisation"][1]
    network.gateway.extra[operators_key()] = operators(8, 9)
    network.gateway.tell()
    assert (await look(network))["gateway authorisation"][0]
    for account, ok in ((8, True), (10, False)):
        named = (values.account(account),)
        assert ok is (await look(network, gateway_accounts=named))["gateway authorisation"][0]
    itself = await look(network, gateway_accounts=(PAIR[0],))
    assert itself["gateway authorisation"][0]


async def test_doctor_looks_at_no_chain_that_is_not_named(network: CessNetwork) -> None:
    """A local network has none."""
    assert {} == await look(network, rpc_urls=())


async def test_doctor_tells_of_a_chain_that_does_not_serve(network: CessNetwork) -> None:
    """By both findings, with the node and what is wrong with it."""
    network.node.health = {"peers": 3, "isSyncing": True, "shouldHavePeers": True}
    network.gateway.tell()
    found = await look(network)
    assert [False, False] == [ok for ok, _ in found.values()]
    assert "is not synchronised" in found["CESS chain"][1]


# The command line.


async def test_the_commands_ask_the_chain(network: CessNetwork, tmp_path: Path) -> None:
    """`caregrid storage` with a sidecar's configuration tells what a stock gateway does not."""
    Identity.generate().save(tmp_path / "operator.json", "many words", cost=CHEAP)
    (tmp_path / "passphrase").write_text("many words")
    config = tmp_path / "caregrid.toml"
    config.write_text(
        f"home = '{tmp_path}'\norganisation = '0x{'00' * 32}'\ngateway_url = '{network.gateway.url}'\n"
        f"[storage.cess]\nrpc_urls = ['{network.node.http}']\ngenesis = '{GENESIS.hex()}'\n"
    )
    await network.store.put(source_of(tmp_path, BODY))
    have(network, file_of(BODY, lost=frozenset({7})))
    status, told = await command("check", FILE_ID.hex(), "--config", str(config))
    assert (1, "troubled", 11, 0) == (status, told["state"], told["living"], told["restoring"])
    _, told = await command("verify", FILE_ID.hex(), "--config", str(config))
    assert (1, 7) == (told["bad"], told["bad_fragments"][0]["fragment"])
    _, told = await command("repair", FILE_ID.hex(), "--config", str(config))
    assert (None, 0) == (told["rebuilt"], told["restoring"])


async def command(*arguments: str) -> tuple[int | None, dict[str, Any]]:
    """Run `caregrid storage`; return its exit code and its line."""
    program = [sys.executable, "-m", "ocw_sidecar.cli", "storage", *arguments]
    process = await asyncio.create_subprocess_exec(*program, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, errors = await process.communicate()
    assert output, errors
    told: dict[str, Any] = json.loads(output)
    return process.returncode, told
