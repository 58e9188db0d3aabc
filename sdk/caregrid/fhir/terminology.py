"""Asks a terminology server about the codes that HL7's definitions do not settle.

Only codes leave: value set, system, version and code. No display, no text, nothing of whom they are about,
and nothing that ties two questions together but the time they come at.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from caregrid.content import is_grave, outcome
from caregrid.fhir.places import at_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from caregrid.fhir.port import Verdict

#: One record asks at most this often; a bundle of many codes keeps the rest "not checked".
MAX_QUESTIONS: Final = 500


class Answer(Enum):
    """What a terminology says of a code."""

    INSIDE = "inside"  #: it is in the value set
    OUTSIDE = "outside"  #: it is not
    UNKNOWN = "unknown"  #: the terminology does not know the value set, and will not tomorrow
    MISSING = "missing"  #: no answer now; there may be one later


#: FHIR's issue type of a code that was not checked now, and may be another time.
UNANSWERED: Final = "transient"

_TOLD: Final = {
    Answer.OUTSIDE: ("code-invalid", "the terminology server says that the code is not in the value set"),
    Answer.UNKNOWN: (
        "not-supported",
        "the terminology server does not know the value set; the code was not checked",
    ),
    Answer.MISSING: (UNANSWERED, "the terminology server did not answer; the code was not checked"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Coding:
    """A code as it is asked about."""

    code: str
    system: str | None = None
    version: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """Is one of these codes in the value set?"""

    value_set: str  #: canonical URL
    codings: tuple[Coding, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unchecked:
    """A code that the definitions did not settle."""

    issue: int  #: place of the issue that says so in the outcome
    value_set: str
    path: str  #: as in the issue's `expression`
    required: bool  #: a code outside of the value set is an error, not only a warning


class Terminology(ABC):
    """Knows which codes value sets have."""

    @abstractmethod
    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer each question. Blocks, and never raises."""


def settle(
    verdict: Verdict, unchecked: Sequence[Unchecked], content: bytes, terminology: Terminology
) -> Verdict:
    """Return a verdict in which codes that were not checked are, as far as the server answers.

    A code that is in its value set is no issue any more. One that is not is an error where the binding is
    required, and a warning elsewhere. Without an answer it stays "not checked", as a warning: that passes.

    Args:
        verdict: of the validator.
        unchecked: what it left open.
        content: the record.
        terminology: whom to ask.
    """
    resource = json.loads(content)
    asked = [(one, _question(one, resource)) for one in unchecked[:MAX_QUESTIONS]]
    open_ones = [(one, question) for one, question in asked if question is not None]
    if not open_ones:
        return verdict
    answers = terminology.ask([question for _, question in open_ones])
    issues: list[dict[str, Any] | None] = list(verdict.outcome["issue"])
    for (one, _), answer in zip(open_ones, answers, strict=True):
        inside = answer is Answer.INSIDE
        issues[one.issue] = None if inside else _told(verdict.outcome["issue"][one.issue], one, answer)
    told = [issue for issue in issues if issue is not None]
    missing = sum(answer is Answer.MISSING for answer in answers)
    valid = verdict.valid and not any(is_grave(issue["severity"]) for issue in told)
    heard = {**verdict.outcome, "issue": told} if told else outcome([])
    return replace(verdict, valid=valid, outcome=heard, unanswered=missing)


def _told(issue: dict[str, Any], unchecked: Unchecked, answer: Answer) -> dict[str, Any]:
    severity = "error" if answer is Answer.OUTSIDE and unchecked.required else "warning"
    code, text = _TOLD[answer]
    return {
        **issue,
        "severity": severity,
        "code": code,
        "details": {"text": f"{text} ({unchecked.value_set})"},
    }


def _question(unchecked: Unchecked, content: Any) -> Question | None:
    codings = tuple(_codings(at_path(content, unchecked.path)))
    return Question(value_set=unchecked.value_set, codings=codings) if codings else None


def _codings(value: Any) -> Iterator[Coding]:
    if isinstance(value, str):
        yield Coding(code=value)
    elif isinstance(value, list):
        for each in value:
            yield from _codings(each)
    elif isinstance(value, dict) and isinstance(value.get("coding"), list):
        yield from _codings([each for each in value["coding"] if isinstance(each, dict)])
    elif isinstance(value, dict) and isinstance(value.get("concept"), dict):
        yield from _codings(value["concept"])
    elif isinstance(value, dict) and isinstance(value.get("code"), str):
        system, version = value.get("system"), value.get("version")
        yield Coding(
            code=value["code"],
            system=system if isinstance(system, str) else None,
            version=version if isinstance(version, str) else None,
        )
