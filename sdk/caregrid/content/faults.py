"""What can be wrong with content, and how it is told: as issues of a FHIR OperationOutcome.

Texts are ours alone. Numbers of places (offset, line, column) are all that is ever filled into them, so that
no value of a record shows in an outcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

#: An outcome names at most this many issues; nobody reads more, and a hostile record could cause millions.
MAX_ISSUES: Final = 100

_GRAVE: Final = frozenset({"error", "fatal"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong."""

    name: str
    code: str  #: FHIR issue type
    text: str  #: may have places `{0}`, `{1}` for numbers
    severity: str = "error"


@dataclass(frozen=True, slots=True)
class Issue:
    """A rule broken."""

    rule: Rule
    numbers: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """What is wrong, in words."""
        return self.rule.text.format(*self.numbers)


ALL_OK: Final = Rule("all-ok", "informational", "no fault found", "information")


def is_grave(severity: object) -> bool:
    """Tell whether an issue of this severity makes content invalid."""
    return severity in _GRAVE


def outcome(issues: Sequence[Issue]) -> dict[str, Any]:
    """Return a FHIR OperationOutcome of issues, or one that says that there are none."""
    return outcome_of([_entry(each) for each in issues])


def outcome_of(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a FHIR OperationOutcome of `issue` entries: the first of them, or one that says: none."""
    told = list(entries[:MAX_ISSUES]) or [_entry(Issue(ALL_OK))]
    return {"resourceType": "OperationOutcome", "issue": told}


def _entry(issue: Issue) -> dict[str, Any]:
    return {
        "severity": issue.rule.severity,
        "code": issue.rule.code,
        "details": {"text": issue.text},
        "diagnostics": issue.rule.name,
    }
