"""Whether objects can be read and are what was anchored."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.chain.port import AuditOutcome, BlockRef, ProofScheme
from caregrid.errors import ChainUnreachable, FragmentsMissing, StorageUnreachable
from caregrid.testing import SubmitFault
from ocw_sidecar.ledger.challenges import Challenge
from ocw_sidecar.notifications.items import NoticeKind
from ocw_sidecar.ports import NetworkProofs, ProofRecord
from ocw_sidecar.testing import ORGANISATION
from ocw_sidecar.workers.integrity import IntegrityWorker
from ocw_sidecar.workers.outcomes import combined
from tests.unit.sidecar.worker_world import Working, mine, working

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from caregrid.chain.port import Integrity

CANARY = b"Canary Patientia, born 1907"


@pytest.fixture
async def sidecar(tmp_path: Path) -> AsyncIterator[Working]:
    """A sidecar with one object of five records, checked in small portions."""
    changes = {"integrity": {"records": 3, "timeout_s": 0.3, "contained_limit": 2}}
    async with working(tmp_path, workers=changes) as opened:
        await opened.store(CANARY, b"two", b"three", b"four", b"five")
        mine(opened.world, 1)
        yield opened


async def run(sidecar: Working) -> dict[str, int]:
    """Take blocks in and run the worker as of the head."""
    height = await sidecar.follow()
    return dict(await IntegrityWorker(sidecar.parts.desk).run(height))


async def standing(sidecar: Working) -> Integrity | None:
    """Return the report that stands on the chain."""
    [known] = await sidecar.parts.desk.ledger.longest_unlooked(10)
    stored = await sidecar.world.chain.stored_object(known.object_id)
    assert stored is not None
    return stored.integrity


async def told(sidecar: Working) -> list[Any]:
    """Return the outcomes of which the organisation was told."""
    page = await sidecar.parts.desk.notices.after(ORGANISATION, None, 100)
    notices = [posted.notice for posted in page.items]
    return [each.facts["outcome"] for each in notices if each.kind is NoticeKind.STORAGE_TROUBLE]


def reading(sidecar: Working, monkeypatch: pytest.MonkeyPatch, *chunks: bytes | Exception | None) -> None:
    """Have the store answer each read with this: bytes, an error, or nothing ever."""
    answers = list(chunks)

    async def stream(*_: Any) -> AsyncIterator[bytes]:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        assert answer is not None
        yield answer

    monkeypatch.setattr(sidecar.world.store, "stream_range", stream)


async def test_a_sound_object_passes(sidecar: Working) -> None:
    """The report names the block; the bundle under its digest says what was read, and holds no content."""
    height = await sidecar.follow()
    assert {"checked": 1, "reported": 1, "passed": 1} == await run(sidecar)
    report = await standing(sidecar)
    assert report is not None
    assert (ProofScheme.NETWORK, AuditOutcome.PASSED, height) == (
        report.scheme,
        report.outcome,
        report.challenged_at,
    )
    body = await sidecar.parts.desk.ledger.bundle(report.proof_digest)
    assert body is not None
    assert report.proof_digest == hashlib.sha256(body).digest()
    bundle = json.loads(body)
    assert 3 == len(bundle["records"])
    assert all(record["anchored"] == record["read"] for record in bundle["records"])
    assert CANARY not in body
    assert [] == await told(sidecar)


async def test_an_outsider_draws_the_same_records(sidecar: Working) -> None:
    """What was asked follows from finalized blocks and the object's records."""
    await run(sidecar)
    report = await standing(sidecar)
    assert report is not None
    body = await sidecar.parts.desk.ledger.bundle(report.proof_digest)
    assert body is not None
    bundle = json.loads(body)
    hashes = b""
    for number in range(report.challenged_at - 2, report.challenged_at + 1):
        block = await sidecar.world.chain.block(number)
        assert block is not None
        hashes += block.hash
    object_id = bytes.fromhex(bundle["object"])
    left = await sidecar.parts.desk.ledger.records_of_object(object_id, 100)
    seed = hashlib.sha256(b"caregrid/spot-check/v1" + object_id + hashes).digest()
    drawn = []
    for number in range(3):
        ticket = int.from_bytes(hashlib.sha256(seed + number.to_bytes(4, "big")).digest(), "big")
        drawn.append(left.pop(ticket % len(left)).hex())
    assert drawn == [record["record"] for record in bundle["records"]]


async def test_altered_bytes_condemn(sidecar: Working, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other bytes than the anchored ones are a proved wrong answer, and told."""
    reading(sidecar, monkeypatch, b"altered")
    assert {"checked": 1, "reported": 1, "failed": 1} == await run(sidecar)
    assert ["Failed"] == await told(sidecar)


async def test_missing_fragments_do_not_condemn(sidecar: Working, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be restored now is offline, no lie."""
    reading(sidecar, monkeypatch, FragmentsMissing())
    assert {"checked": 1, "reported": 1, "offline": 1} == await run(sidecar)
    assert ["Offline"] == await told(sidecar)


async def test_who_does_not_answer_is_asked_the_same_again(
    sidecar: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A challenge without an answer stays open; after some times it counts as offline."""
    reading(sidecar, monkeypatch, None)
    assert {"checked": 1, "reported": 1, "contained": 1} == await run(sidecar)
    first = await standing(sidecar)
    mine(sidecar.world, 5)
    assert {"checked": 1, "reported": 1, "offline": 1} == await run(sidecar)
    second = await standing(sidecar)
    assert first is not None
    assert second is not None
    assert first.challenged_at == second.challenged_at
    mine(sidecar.world, 5)
    height = await sidecar.follow()
    await run(sidecar)
    third = await standing(sidecar)
    assert third is not None
    assert height == third.challenged_at


async def test_a_gateway_that_does_not_answer_is_no_verdict(
    sidecar: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is reported of objects that nobody could ask for."""
    reading(sidecar, monkeypatch, StorageUnreachable())
    with pytest.raises(StorageUnreachable):
        await run(sidecar)
    assert await standing(sidecar) is None


class Record(NetworkProofs):
    """A network whose own record of proofs says this, or cannot be read."""

    def __init__(self, outcome: AuditOutcome | None) -> None:
        self._outcome = outcome

    async def look(self, object_id: bytes) -> ProofRecord | None:
        """Say it."""
        assert object_id
        if self._outcome is None:
            raise ChainUnreachable
        return ProofRecord(outcome=self._outcome, facts={"network": "some", "outcome": str(self._outcome)})


def with_record(sidecar: Working, outcome: AuditOutcome | None) -> IntegrityWorker:
    """Return a worker on a network that keeps such a record."""
    bench = sidecar.parts.desk.bench
    ports = replace(bench.ports, proofs=Record(outcome))
    return IntegrityWorker(replace(sidecar.parts.desk, bench=replace(bench, ports=ports)))


async def test_the_networks_record_of_proofs_counts_beside(sidecar: Working) -> None:
    """Trouble that it shows is reported and told although a read came right, and stands in the bundle."""
    worker = with_record(sidecar, AuditOutcome.FAILED)
    assert {"checked": 1, "reported": 1, "failed": 1} == await worker.run(await sidecar.follow())
    assert ["Failed"] == await told(sidecar)
    report = await standing(sidecar)
    assert report is not None
    body = await sidecar.parts.desk.ledger.bundle(report.proof_digest)
    assert body is not None
    bundle = json.loads(body)
    assert ("Failed", {"network": "some", "outcome": "Failed"}) == (bundle["outcome"], bundle["network"])
    assert all(record["anchored"] == record["read"] for record in bundle["records"])


async def test_a_record_that_cannot_be_read_takes_nothing_away(sidecar: Working) -> None:
    """What was read by ourselves is reported all the same."""
    worker = with_record(sidecar, None)
    assert {"checked": 1, "reported": 1, "passed": 1} == await worker.run(await sidecar.follow())


async def test_a_miner_that_is_asked_again_is_the_networks_affair(sidecar: Working) -> None:
    """Contained by the network is reported so; our own next challenge is a new one."""
    worker = with_record(sidecar, AuditOutcome.CONTAINED)
    assert {"checked": 1, "reported": 1, "contained": 1} == await worker.run(await sidecar.follow())
    mine(sidecar.world, 5)
    height = await sidecar.follow()
    assert {"checked": 1, "reported": 1, "contained": 1} == await worker.run(height)
    report = await standing(sidecar)
    assert report is not None
    assert height == report.challenged_at


@pytest.mark.parametrize(
    ("ours", "networks", "expected"),
    [
        (AuditOutcome.PASSED, AuditOutcome.PASSED, AuditOutcome.PASSED),
        (AuditOutcome.PASSED, AuditOutcome.UNKNOWN, AuditOutcome.PASSED),
        (AuditOutcome.UNKNOWN, AuditOutcome.PASSED, AuditOutcome.PASSED),
        (AuditOutcome.UNKNOWN, AuditOutcome.UNKNOWN, AuditOutcome.UNKNOWN),
        (AuditOutcome.PASSED, AuditOutcome.CONTAINED, AuditOutcome.CONTAINED),
        (AuditOutcome.OFFLINE, AuditOutcome.CONTAINED, AuditOutcome.OFFLINE),
        (AuditOutcome.FAILED, AuditOutcome.PASSED, AuditOutcome.FAILED),
        (AuditOutcome.OFFLINE, AuditOutcome.FAILED, AuditOutcome.FAILED),
    ],
)
def test_two_checks_come_to_one_outcome(
    ours: AuditOutcome, networks: AuditOutcome, expected: AuditOutcome
) -> None:
    """The worst trouble stands; without any, one that passed is enough."""
    assert expected is combined(ours, networks) is combined(networks, ours)


async def test_a_report_that_went_through_unheard_is_not_repeated(sidecar: Working) -> None:
    """The same run done again finds its report on the chain."""
    height, worker = await sidecar.follow(), IntegrityWorker(sidecar.parts.desk)
    sidecar.world.submitter.faults.append(SubmitFault.UNHEARD)
    with pytest.raises(Exception, match="outcome is unknown"):
        await worker.run(height)
    sent = sidecar.world.submitter.submitted
    assert 0 == (await worker.run(height))["reported"]
    assert sent == sidecar.world.submitter.submitted


async def test_large_objects_are_read_within_bounds(tmp_path: Path) -> None:
    """One record is read whatever its size; others only as far as the bound allows."""
    changes = {"integrity": {"records": 4, "read_limit": 500}}
    async with working(tmp_path, workers=changes) as sidecar:
        await sidecar.store(*(bytes([number]) * 400 for number in range(4)))
        mine(sidecar.world, 1)
        await run(sidecar)
        report = await standing(sidecar)
        assert report is not None
        body = await sidecar.parts.desk.ledger.bundle(report.proof_digest)
        assert body is not None
        assert 1 == len(json.loads(body)["records"])


def test_draws_are_distinct_and_bounded() -> None:
    """No record twice, and no more than there are."""
    blocks = [BlockRef(number=number, hash=bytes([number]) * 32) for number in (1, 2, 3)]
    challenge = Challenge(object_id=bytes(32), blocks=blocks)
    ids = [bytes([number]) * 16 for number in range(10)]
    drawn = challenge.draw(ids, 20)
    assert sorted(ids) == sorted(drawn)
    assert drawn[:4] == challenge.draw(ids, 4)
    assert 3 == challenge.challenged_at
