"""Judges cases with the project's validator, and counts by rule kind how often it is right."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from caregrid.fhir.profiles import Profiles
from caregrid.fhir.validator import FhirValidator
from caregrid.records import RecordFormat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.corpus.cases import Case

FORMATS: Final = {
    "4.0": RecordFormat.FHIR_R4_JSON,
    "4.3": RecordFormat.FHIR_R4B_JSON,
    "5.0": RecordFormat.FHIR_R5_JSON,
}


@cache
def validator(profiles: tuple[bytes, ...] = ()) -> FhirValidator:
    """Return the validator that knows some profiles; resources claim them in `meta.profile`."""
    return FhirValidator(profiles=Profiles.parsed(profiles)) if profiles else FhirValidator()


def judged(case: Case) -> bool:
    """Return the validator's verdict."""
    return validator(case.profiles).is_valid(case.content, FORMATS[case.version])


@dataclass(slots=True)
class Rates:
    """How often the verdict is right."""

    valid: int = 0  #: cases that must be accepted
    accepted: int = 0  #: of those
    invalid: int = 0  #: cases that must be refused
    refused: int = 0  #: of those

    def count(self, case: Case, *, right: bool) -> None:
        """Take in one verdict."""
        if case.valid:
            self.valid += 1
            self.accepted += right
        else:
            self.invalid += 1
            self.refused += right

    @property
    def specificity(self) -> float | None:
        """The share of valid cases that are accepted."""
        return self.accepted / self.valid if self.valid else None

    @property
    def recall(self) -> float | None:
        """The share of invalid cases that are refused."""
        return self.refused / self.invalid if self.invalid else None

    def as_json(self) -> dict[str, Any]:
        """Return the numbers."""
        return {
            "valid": self.valid,
            "accepted": self.accepted,
            "invalid": self.invalid,
            "refused": self.refused,
        }


@dataclass(slots=True)
class Tally:
    """Rates altogether and by rule kind, and what went wrong."""

    total: Rates = field(default_factory=Rates)
    rules: dict[str, Rates] = field(default_factory=lambda: defaultdict(Rates))
    wrong: list[Case] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the report."""
        return {
            "total": self.total.as_json(),
            "rules": {rule: rates.as_json() for rule, rates in sorted(self.rules.items())},
            "wrong": [str(case) for case in self.wrong],
        }


def tallied(cases: Iterable[Case]) -> Tally:
    """Judge cases and count."""
    tally = Tally()
    for case in cases:
        right = judged(case) == case.valid
        tally.total.count(case, right=right)
        tally.rules[case.rule].count(case, right=right)
        if not right:
            tally.wrong.append(case)
    return tally
