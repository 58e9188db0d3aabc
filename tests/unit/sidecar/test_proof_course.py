"""What rounds come to: honest nodes are never condemned, and nothing that is lost stays unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.chain.port import AuditOutcome
from caregrid.proofs.verdict import Finding
from ocw_sidecar.ledger.proofs import NodeRecord, ProvedObject
from ocw_sidecar.workers.proof_choice import choose, share_of
from ocw_sidecar.workers.proof_course import (
    NEW_RISK,
    Heard,
    by_node,
    conclude,
    counted,
    risk_of,
    riskiest,
)

if TYPE_CHECKING:
    from ocw_sidecar.ledger.proofs import ProofBook

LIMIT = 3
#: What an outage can make of an honest node's answer.
OUTAGES = st.sampled_from([each for each in Finding if each is not Finding.FAILED])
ROUNDS = st.lists(st.lists(OUTAGES, min_size=12, max_size=12), min_size=1, max_size=30)
NODES = {number: f"node-{number}" for number in range(12)}


@given(ROUNDS)
def test_no_outage_condemns_anybody(rounds: list[list[Finding]]) -> None:
    """Whatever is silent, however long: no object fails, no node is condemned, a repeat comes to an end."""
    misses, records = 0, dict.fromkeys(NODES.values(), NodeRecord())
    for findings in rounds:
        heard = Heard(findings=dict(enumerate(findings)))
        conclusion = conclude(heard, misses=misses, limit=LIMIT)
        assert AuditOutcome.FAILED is not conclusion.outcome
        assert not (conclusion.ask_again and conclusion.repair)
        misses = misses + 1 if conclusion.ask_again else 0
        assert LIMIT > misses
        for node, finding in by_node(heard, NODES).items():
            records[node] = counted(records[node], finding)
    assert {0} == {each.condemned for each in records.values()}
    assert all(0 <= risk_of(each) <= 1000 for each in records.values())


@given(st.lists(st.sampled_from(Finding), min_size=12, max_size=12), st.integers(0, LIMIT - 1))
def test_a_wrong_proof_is_never_outweighed(findings: list[Finding], misses: int) -> None:
    """One is enough, whatever the others say, and starts a repair; without one nothing has failed."""
    conclusion = conclude(Heard(findings=dict(enumerate(findings))), misses=misses, limit=LIMIT)
    failed = Finding.FAILED in findings
    assert failed is (conclusion.outcome is AuditOutcome.FAILED)
    assert conclusion.repair or not failed


@given(st.integers(0, 11), OUTAGES)
def test_a_lost_fragment_is_repaired_at_once(number: int, other: Finding) -> None:
    """Its node has said so; nobody is asked the same again."""
    findings = dict.fromkeys(range(12), other) | {number: Finding.OFFLINE}
    conclusion = conclude(Heard(findings=findings, lost=frozenset({number})), misses=0, limit=LIMIT)
    assert (True, True, False) == (conclusion.repair, conclusion.tag, conclusion.ask_again)


@pytest.mark.parametrize("silence", [Finding.CONTAINED, Finding.OFFLINE])
def test_silence_is_asked_again_and_given_up(silence: Finding) -> None:
    """Twice the same round; the third time the node counts as gone, and what it held is rebuilt."""
    heard = Heard(findings=dict.fromkeys(range(11), Finding.PASSED) | {11: silence})
    again = [conclude(heard, misses=misses, limit=LIMIT) for misses in range(LIMIT)]
    assert [(True, False), (True, False), (False, True)] == [(each.ask_again, each.repair) for each in again]
    assert AuditOutcome.OFFLINE is again[-1].outcome
    assert AuditOutcome[silence.name] is again[0].outcome


def test_a_node_without_tags_is_given_some() -> None:
    """It cannot answer, so its silence is neither counted nor repeated."""
    heard = Heard(findings={0: Finding.PASSED, 1: Finding.OFFLINE}, untagged=frozenset({1}))
    conclusion = conclude(heard, misses=0, limit=LIMIT)
    assert (False, False, True) == (conclusion.ask_again, conclusion.repair, conclusion.tag)
    assert {"node-0": Finding.PASSED} == by_node(heard, NODES)


def after(*findings: Finding) -> NodeRecord:
    """Return a node's record after some rounds."""
    record = NodeRecord()
    for finding in findings:
        record = counted(record, finding)
    return record


def test_reputations() -> None:
    """A new node is risky; answers speak for a node, silence against it, a lie above all; all of it fades."""
    steady = after(*[Finding.PASSED] * 50)
    assert NEW_RISK == risk_of(None) == risk_of(after(Finding.PASSED)) == risk_of(after(Finding.OFFLINE))
    assert 0 == risk_of(steady)
    late, away = (counted(steady, each) for each in (Finding.CONTAINED, Finding.OFFLINE))
    liar = counted(steady, Finding.FAILED)
    assert 0 < risk_of(late) < risk_of(away) < 100 < risk_of(liar)
    assert steady == counted(steady, Finding.UNKNOWN)
    reformed = liar
    for _ in range(100):
        reformed = counted(reformed, Finding.PASSED)
    assert risk_of(reformed) < risk_of(liar) // 10
    assert (1, 150, 0) == (reformed.condemned, reformed.answers, reformed.silent)
    records = {"a": steady, "b": late}
    assert risk_of(late) == riskiest({"a", "b"}, records)
    assert NEW_RISK == riskiest({"a", "c"}, records) == riskiest(set(), records)


class Shelf:
    """The three lists that are chosen from, kept in memory."""

    def __init__(self, objects: list[ProvedObject]) -> None:
        self.objects = {each.object_id: each for each in objects}

    async def open_rounds(self, limit: int) -> list[ProvedObject]:
        """Return what is open."""
        return [each for each in self.objects.values() if each.open_at is not None][:limit]

    async def oldest_rounds(self, height: int, limit: int) -> list[ProvedObject]:
        """Return by age."""
        return sorted(self._askable(height), key=lambda each: each.round_at)[:limit]

    async def riskiest_rounds(self, height: int, limit: int) -> list[ProvedObject]:
        """Return by risk."""
        return sorted(self._askable(height), key=lambda each: (-each.risk, each.round_at))[:limit]

    def _askable(self, height: int) -> list[ProvedObject]:
        return [each for each in self.objects.values() if each.round_at < height]


def proved(number: int, *, risk: int = 0, open_at: int | None = None) -> ProvedObject:
    """Return an object that was last asked at 0."""
    return ProvedObject(
        object_id=number.to_bytes(32), round_at=0, public_at=0, risk=risk, open_at=open_at, misses=0
    )


@given(
    objects=st.integers(1, 120),
    budget=st.integers(1, 20),
    runs=st.integers(2, 12),
    risks=st.randoms(use_true_random=False),
)
async def test_every_object_has_its_turn_within_the_period(
    objects: int, budget: int, runs: int, risks: object
) -> None:
    """Whatever their risks, and even if a few are asked again and again."""
    every = 50
    draw = risks.randrange  # type: ignore[attr-defined]
    shelf = Shelf([proved(n, risk=draw(1000), open_at=50 if draw(9) == 0 else None) for n in range(objects)])
    share = share_of(objects, budget=budget, every=every, period=runs * every)
    book: ProofBook = shelf  # type: ignore[assignment]
    for height in range(every, runs * every, every):
        chosen = await choose(book, share, height)
        assert len(chosen) == len({each.object_id for each in chosen}) <= 2 * share.total
        for each in chosen:
            shelf.objects[each.object_id] = ProvedObject(
                object_id=each.object_id,
                round_at=height,
                public_at=0,
                risk=each.risk,
                open_at=each.open_at,
                misses=0,
            )
    assert 0 < min(each.round_at for each in shelf.objects.values())


async def test_the_riskiest_come_first_of_those_of_an_age() -> None:
    """An open round before all of them."""
    shelf = Shelf([*(proved(number, risk=number) for number in range(40)), proved(99, open_at=10)])
    share = share_of(40, budget=8, every=50, period=2_000)
    chosen = await choose(shelf, share, 100)  # type: ignore[arg-type]
    numbers = [int.from_bytes(each.object_id) for each in chosen]
    assert (99, 9) == (numbers[0], len(numbers))
    assert [39, 38, 37, 36] == numbers[-4:]


@pytest.mark.parametrize(
    ("objects", "budget", "expected"),
    [(0, 8, (8, 4)), (100, 8, (8, 4)), (8_000, 8, (10, 10)), (10_000_000, 8, (1_024, 1_024))],
)
def test_the_period_goes_before_the_budget(objects: int, budget: int, expected: tuple[int, int]) -> None:
    """Up to a bound of its own."""
    share = share_of(objects, budget=budget, every=50, period=43_200)
    assert expected == (share.total, share.by_age)
