"""What a round comes to: pure decisions about an object, and about the nodes that hold it.

Only a wrong proof under the public scheme condemns, at once. Who says that a fragment is gone has lost it.
Who says nothing is contained: asked the same again, so that silence wins no easier challenge; after some
times he counts as gone. What does not answer on our side is nobody's fault.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from caregrid.chain.port import AuditOutcome
from caregrid.proofs.verdict import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ocw_sidecar.ledger.proofs import NodeRecord

#: Of an object that was not asked yet; nothing is riskier.
UNASKED_RISK: Final = 1000
#: Of a node that has answered less often than `VETTED`.
NEW_RISK: Final = 900
VETTED: Final = 3

_ONE: Final = 1000
#: What each round leaves of the ones before it, in hundredths.
_KEPT: Final = 95
#: What counts against a node, in thousandths of a round: a lie weighs more than all the rounds that are kept.
_AGAINST: Final = {Finding.CONTAINED: 200, Finding.OFFLINE: 500, Finding.FAILED: 40_000}
_OUTCOMES: Final = {finding: AuditOutcome[finding.name] for finding in Finding}
_SILENT: Final = frozenset({Finding.CONTAINED, Finding.OFFLINE})


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What came of one round of an object, by the fragments' numbers."""

    findings: Mapping[int, Finding]
    lost: frozenset[int] = frozenset()  #: of which the node itself says that they are gone
    untagged: frozenset[int] = frozenset()  #: whose node has the fragment and no tags to answer with


@dataclass(frozen=True, kw_only=True, slots=True)
class Conclusion:
    """What a round comes to."""

    outcome: AuditOutcome
    ask_again: bool  #: the same round
    repair: bool
    tag: bool  #: give tags to nodes that have none


def conclude(heard: Heard, *, misses: int, limit: int) -> Conclusion:
    """Judge a round; `misses` times it was asked before without an answer, `limit` times it may be in all."""
    worst = worst_of(heard.findings.values())
    away = {number for number, finding in heard.findings.items() if finding in _SILENT}
    silent = away - heard.lost - heard.untagged
    given_up = bool(silent) and misses + 1 >= limit
    late = worst is Finding.CONTAINED and given_up
    repair = worst is Finding.FAILED or bool(heard.lost) or given_up
    return Conclusion(
        outcome=AuditOutcome.OFFLINE if late else _OUTCOMES[worst],
        ask_again=bool(silent) and not repair,
        repair=repair,
        tag=bool(heard.untagged) or repair,
    )


def worst_of(findings: Iterable[Finding]) -> Finding:
    """Return the worst of some findings."""
    return max(findings, key=list(Finding).index)


def by_node(heard: Heard, nodes: Mapping[int, str]) -> dict[str, Finding]:
    """Return the worst that each node did in a round; who has no tags was never given the means to answer."""
    told = dict[str, list[Finding]]()
    for number, finding in heard.findings.items():
        if number in nodes and number not in heard.untagged:
            told.setdefault(nodes[number], []).append(finding)
    return {node: worst_of(findings) for node, findings in told.items()}


def counted(record: NodeRecord, finding: Finding) -> NodeRecord:
    """Return a node's record with one more round."""
    if finding is Finding.UNKNOWN:
        return record
    good, bad = record.good * _KEPT // 100, record.bad * _KEPT // 100
    if finding is Finding.PASSED:
        return replace(record, answers=record.answers + 1, good=good + _ONE, bad=bad)
    bad += _AGAINST[finding]
    if finding is Finding.FAILED:
        return replace(record, condemned=record.condemned + 1, good=good, bad=bad)
    return replace(record, silent=record.silent + 1, good=good, bad=bad)


def risk_of(record: NodeRecord | None) -> int:
    """Return how likely a node is to be in trouble, 0 to 1000."""
    if record is None or record.answers + record.condemned < VETTED:
        return NEW_RISK
    return _ONE * record.bad // (record.good + record.bad)


def riskiest(nodes: Collection[str], records: Mapping[str, NodeRecord]) -> int:
    """Return the risk of an object that lies on some nodes; without any name, that of a new one."""
    return max((risk_of(records.get(node)) for node in nodes), default=NEW_RISK)
