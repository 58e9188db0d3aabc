"""Asks storage nodes in one round, by either scheme, and says what came of it with the evidence."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from caregrid import auditing
from caregrid.chain.port import ProofScheme
from caregrid.errors import (
    CaregridError,
    FragmentLost,
    ObjectUnknown,
    ProofOverdue,
    RateLimited,
    StorageUnreachable,
    TagsUnknown,
)
from caregrid.proofs import podr2
from caregrid.proofs.proving_store import FragmentPlace
from caregrid.proofs.schedule import Terms
from caregrid.proofs.verdict import Finding, judge
from ocw_sidecar.workers.proof_course import Heard
from ocw_sidecar.workers.proof_witness import Witness

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caregrid.auditing import Committed
    from caregrid.proofs.beacon import Beacon
    from caregrid.proofs.tag_list import TagList
    from ocw_sidecar.ports import Proving

#: What is agreed on with whoever verifies: it is part of each challenge.
TERMS: Final = Terms()
#: Nodes asked at once.
PARALLEL: Final = 4

_SAID: Final[Mapping[type[CaregridError], Finding]] = {
    ProofOverdue: Finding.CONTAINED,
    FragmentLost: Finding.OFFLINE,
    TagsUnknown: Finding.OFFLINE,
    ObjectUnknown: Finding.OFFLINE,
    StorageUnreachable: Finding.OFFLINE,
    RateLimited: Finding.UNKNOWN,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One round by one scheme."""

    scheme: ProofScheme
    heard: Heard
    evidence: bytes  #: what was asked and answered: a proof bundle, or JSON of a private round


async def ask_public(proving: Proving, known: Committed, beacon: Beacon, tags: TagList) -> Asked:
    """Ask for proofs that anybody can check; the evidence is their bundle.

    Raises:
        CommitmentMismatch: the tags are not those that were committed to.
        StorageUnreachable: not one node could be asked.
    """
    auditing.require_committed(known, tags, proving.public)
    witness = Witness(proving.store)
    bundle = await auditing.ask_round(witness, beacon, tags, proving.public, TERMS)
    verdict = await asyncio.to_thread(judge, bundle, known.facts(beacon), TERMS)
    return Asked(scheme=ProofScheme.PUBLIC, heard=_heard(witness, verdict.findings), evidence=bundle.encode())


async def ask_private(proving: Proving, beacon: Beacon, tags: TagList) -> Asked:
    """Ask for proofs that only we can check, which costs the nodes far less.

    Raises:
        StorageUnreachable: not one node could be asked.
    """
    witness, places = Witness(proving.store), asyncio.Semaphore(PARALLEL)

    async def one(number: int) -> tuple[Finding, bytes]:
        async with places:
            return await _private(proving, witness, beacon, tags, number)

    numbers = beacon.selected(len(tags.fragments), TERMS)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {number: group.create_task(one(number)) for number in numbers}
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    answers = {number: task.result() for number, task in tasks.items()}
    heard = _heard(witness, {number: finding for number, (finding, _) in answers.items()})
    return Asked(scheme=ProofScheme.PRIVATE, heard=heard, evidence=_told(beacon, tags, answers))


async def _private(
    proving: Proving, witness: Witness, beacon: Beacon, tags: TagList, number: int
) -> tuple[Finding, bytes]:
    entry = tags.fragments[number]
    challenge = beacon.challenge(entry.digest, TERMS)
    place = FragmentPlace.numbered(tags.object_id, number)
    try:
        proof = await witness.prove(place, entry.tags, challenge)
    except tuple(_SAID) as exc:
        return next(finding for kind, finding in _SAID.items() if isinstance(exc, kind)), b""
    right = await asyncio.to_thread(podr2.verify, proving.private, entry.digest, challenge, proof)
    return (Finding.PASSED if right else Finding.FAILED), proof


def _heard(witness: Witness, findings: Mapping[int, Finding]) -> Heard:
    # A gateway that is down looks as if every node were: that is no word of theirs.
    if witness.refused(StorageUnreachable) >= findings.keys():
        raise StorageUnreachable("not one storage node could be asked for a proof")
    return Heard(findings=findings, lost=witness.refused(FragmentLost), untagged=witness.refused(TagsUnknown))


def _told(beacon: Beacon, tags: TagList, answers: Mapping[int, tuple[Finding, bytes]]) -> bytes:
    told = {
        "version": 1,
        "scheme": "private",
        "object": beacon.object_id.hex(),
        "committed_at": beacon.committed_at,
        "round": beacon.height,
        "blocks": TERMS.blocks,
        "tags": sha256(tags.encode()).hexdigest(),
        "answers": [
            {"fragment": number, "finding": finding.value, "proof": sha256(proof).hexdigest()}
            for number, (finding, proof) in sorted(answers.items())
        ],
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
