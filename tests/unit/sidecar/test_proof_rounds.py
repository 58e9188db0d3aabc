"""Rounds of proofs over nodes in memory: what is asked, reported, kept, told and repaired."""

from __future__ import annotations

import asyncio
import json
import random
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from caregrid import auditing
from caregrid.chain.port import AuditOutcome, ProofScheme
from caregrid.errors import FragmentLost, ProofOverdue, StorageUnreachable, TagsUnknown
from caregrid.proofs import podr2
from caregrid.proofs.bundle import Bundle
from caregrid.proofs.proving_store import FragmentPlace
from caregrid.proofs.schedule import Terms
from caregrid.proofs.tag_list import TagList
from caregrid.testing import SubmitFault
from ocw_sidecar import operating
from ocw_sidecar.cli import sidecar
from ocw_sidecar.testing import OPERATOR, ORGANISATION
from ocw_sidecar.workers.integrity import IntegrityWorker
from tests.unit.sidecar.proof_world import CANARY, PROVING, Proved, proved
from tests.unit.sidecar.test_integrity import told
from tests.unit.sidecar.worker_world import mine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from caregrid.chain.port import Integrity

OTHER = random.Random(17).randbytes(podr2.FRAGMENT_LEN)  # noqa: S311 - no secret


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Proved]:
    """A tagged object whose first round is final."""
    changes = {"integrity": {"contained_limit": 3, "public_every": 100}}
    async with proved(tmp_path, workers=changes) as opened:
        await opened.tag()
        mine(opened.world, 60)
        yield opened


async def run(world: Proved) -> dict[str, int]:
    """Take blocks in and run the worker as of the head."""
    height = await world.sidecar.follow()
    return dict(await IntegrityWorker(world.sidecar.parts.desk).run(height))


async def standing(world: Proved) -> Integrity:
    """Return the report that stands on the chain."""
    stored = await world.world.chain.stored_object(world.object_id)
    assert stored is not None
    assert stored.integrity is not None
    return stored.integrity


async def evidence(world: Proved) -> bytes:
    """Return what is kept under the digest on the chain."""
    report = await standing(world)
    body = await world.sidecar.parts.desk.ledger.bundle(report.proof_digest)
    assert body is not None
    assert report.proof_digest == sha256(body).digest()
    return body


def place(world: Proved, number: int) -> FragmentPlace:
    """Return where a fragment lies."""
    return FragmentPlace.numbered(world.object_id, number)


async def asked(world: Proved) -> Any:
    """Return what is noted of the object."""
    [found] = await world.sidecar.parts.desk.proofs.oldest_rounds(10_000, 10)
    return found


async def test_a_sound_object_passes(world: Proved) -> None:
    """First publicly: an outsider finds the same verdict from the kept bundle. Then privately, for less."""
    assert {"checked": 1, "reported": 1, "passed": 1} == await run(world)
    report = await standing(world)
    assert (ProofScheme.PUBLIC, AuditOutcome.PASSED) == (report.scheme, report.outcome)
    assert 0 == report.challenged_at % 10
    bundle = Bundle.decode(await evidence(world))
    verified = await auditing.verify_bundle(world.world.chain, bundle, Terms())
    verified.require_passed()
    assert verified.reported
    assert {"checked": 0, "reported": 0} == await run(world)

    mine(world.world, 50)
    assert {"checked": 1, "reported": 1, "passed": 1} == await run(world)
    assert ProofScheme.PRIVATE is (await standing(world)).scheme
    body = await evidence(world)
    assert 12 == len(json.loads(body)["answers"])
    assert CANARY not in body
    mine(world.world, 50)
    await run(world)
    assert ProofScheme.PUBLIC is (await standing(world)).scheme
    assert [] == await told(world.sidecar)
    assert 0 == (await asked(world)).risk


async def test_wrong_bytes_condemn_repair_and_alert(world: Proved, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong private proof is a suspicion; a public one of the same round decides."""
    await run(world)
    repaired, repair = list[bytes](), world.world.store.repair

    async def noted(object_id: bytes) -> Any:
        repaired.append(object_id)
        world.nodes.damaged = {}
        return await repair(object_id)

    monkeypatch.setattr(world.world.store, "repair", noted)
    world.nodes.damaged = {place(world, 7): OTHER}
    mine(world.world, 50)
    assert {"checked": 1, "reported": 1, "failed": 1, "repaired": 1} == await run(world)
    report = await standing(world)
    assert (ProofScheme.PUBLIC, AuditOutcome.FAILED) == (report.scheme, report.outcome)
    assert ["Failed"] == await told(world.sidecar)
    assert [world.object_id] == repaired
    text = world.sidecar.parts.desk.metrics.render().decode()
    assert 'caregrid_proof_rounds_total{outcome="Failed",scheme="Public"} 1.0' in text
    assert 500 < (await asked(world)).risk
    [shown] = [each for each in await operating.nodes(world.sidecar.rig.bench.settings) if each["condemned"]]
    assert (1, (await asked(world)).risk) == (shown["condemned"], shown["risk"])
    mine(world.world, 50)
    assert {"checked": 1, "reported": 1, "passed": 1} == await run(world)


async def test_a_lost_fragment_is_repaired(world: Proved) -> None:
    """Its node says so itself: no lie, no waiting; the tags are given again."""
    world.nodes.faults = {place(world, 2): FragmentLost()}
    done = await run(world)
    assert (1, 1) == (done["offline"], done["repaired"])
    assert ["Offline"] == await told(world.sidecar)
    assert 1 == (await world.sidecar.parts.desk.proofs.counts()).waiting


@pytest.mark.parametrize("fault", [ProofOverdue(), StorageUnreachable()])
async def test_a_silent_node_is_asked_the_same_again(world: Proved, fault: Exception) -> None:
    """Until it answers, then all is well; nothing was repaired."""
    world.nodes.faults = {place(world, 4): fault}  # type: ignore[dict-item]
    first = await run(world)
    assert 0 == first.get("repaired", 0)
    height = (await standing(world)).challenged_at
    mine(world.world, 50)
    await run(world)
    assert height == (await standing(world)).challenged_at
    assert (height, 2) == ((await asked(world)).open_at, (await asked(world)).misses)
    world.nodes.faults = {}
    mine(world.world, 50)
    assert 1 == (await run(world))["passed"]
    report = await standing(world)
    assert (height, AuditOutcome.PASSED) == (report.challenged_at, report.outcome)
    mine(world.world, 50)
    await run(world)
    assert height < (await standing(world)).challenged_at


async def test_a_new_commitment_ends_an_open_round(world: Proved) -> None:
    """What was open under the old one cannot be asked any more; the next round is one of the new."""
    world.nodes.faults = {place(world, 4): ProofOverdue()}
    await run(world)
    world.nodes.faults = {}
    encoded = await world.sidecar.parts.desk.proofs.tags(world.object_id, ProofScheme.PUBLIC)
    assert encoded is not None
    call = auditing.commit_call(ORGANISATION, TagList.decode(encoded), PROVING.public)
    receipt = await world.world.chain.submitter(OPERATOR).submit(call)
    mine(world.world, 50)
    assert 1 == (await run(world))["passed"]
    assert receipt.block.number < (await standing(world)).challenged_at
    assert None is (await asked(world)).open_at


async def test_a_node_that_stays_silent_counts_as_gone(world: Proved) -> None:
    """After three times what it held is rebuilt, and the next round is a new one."""
    world.nodes.faults = {place(world, 4): ProofOverdue()}
    outcomes = []
    for _ in range(3):
        done = await run(world)
        outcomes.append((await standing(world)).outcome)
        mine(world.world, 50)
    assert [AuditOutcome.CONTAINED, AuditOutcome.CONTAINED, AuditOutcome.OFFLINE] == outcomes
    assert 1 == done["repaired"]
    assert None is (await asked(world)).open_at


async def test_a_network_that_is_away_is_no_verdict(world: Proved) -> None:
    """Nobody is blamed, nothing is reported, and the object has its turn later."""
    world.nodes.faults = {place(world, number): StorageUnreachable() for number in range(12)}
    with pytest.raises(StorageUnreachable):
        await run(world)
    stored = await world.world.chain.stored_object(world.object_id)
    assert stored is not None
    assert None is stored.integrity
    world.nodes.faults = {}
    mine(world.world, 50)
    assert 1 == (await run(world))["passed"]


async def test_a_node_without_tags_is_given_them_again(world: Proved) -> None:
    """As after a repair, or a damaged disk; it is not counted against the node."""
    world.nodes.faults = {place(world, 3): TagsUnknown()}
    assert 1 == (await run(world))["offline"]
    world.nodes.faults = {}
    assert 1 == await world.tag()
    mine(world.world, 50)
    assert 1 == (await run(world))["passed"]


async def test_a_report_that_went_through_unheard_is_not_repeated(world: Proved) -> None:
    """The same run done again asks the same and finds its report on the chain."""
    height, worker = await world.sidecar.follow(), IntegrityWorker(world.sidecar.parts.desk)
    world.world.submitter.faults.append(SubmitFault.UNHEARD)
    with pytest.raises(Exception, match="outcome is unknown"):
        await worker.run(height)
    sent = world.world.submitter.submitted
    assert {"checked": 1, "reported": 0, "passed": 1} == dict(await worker.run(height))
    assert sent == world.world.submitter.submitted


async def test_bundles_are_written_out_for_auditors(world: Proved, tmp_path: Path) -> None:
    """By the digest that the report on the chain names; what is not kept is refused."""
    await run(world)
    digest, out = (await standing(world)).proof_digest, tmp_path / "bundle"
    settings = tmp_path / "sidecar.toml"
    settings.write_text(f'home = "{tmp_path / "home"}"\norganisation = "0x{"01" * 32}"\n')

    def export(name: str) -> int:
        words = ["bundle", name, "--out", str(out), "--config", str(settings), "--json"]
        return CliRunner().invoke(sidecar.app, words).exit_code

    assert 0 == await asyncio.to_thread(export, digest.hex())
    assert digest == sha256(out.read_bytes()).digest()
    assert 0 != await asyncio.to_thread(export, "00" * 32)
    assert 0 != await asyncio.to_thread(export, "zz")


async def test_before_the_first_round_records_are_read(tmp_path: Path) -> None:
    """What no proof can be asked of yet is checked all the same."""
    async with proved(tmp_path) as world:
        mine(world.world, 1)
        assert {"checked": 1, "reported": 1, "passed": 1} == await run(world)
        assert ProofScheme.NETWORK is (await standing(world)).scheme
        await world.tag()
        mine(world.world, 60)
        await run(world)
        assert ProofScheme.PUBLIC is (await standing(world)).scheme
