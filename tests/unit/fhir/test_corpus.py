"""The validator's verdicts on the corpus: how often they are right, on valid and on invalid cases alike."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.corpus import WRITTEN
from tests.corpus.judging import FORMATS, tallied, validator
from tests.corpus.mutations import mutated
from tests.fhir_examples import fhir_examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.corpus.cases import Case
    from tests.corpus.judging import Tally

_BASE: Final = Path(__file__).parents[2] / "corpus" / "base"

#: Shares of right verdicts below which the validator has become worse.
_LEAST: Final = 0.99
#: No rule kind may be neglected because others have more cases.
_LEAST_OF_A_RULE: Final = 0.75
#: HL7's own examples are all valid but for the named ones; the changed ones break every kind of rule.
_LEAST_OF_EXAMPLES: Final = 0.98

#: Examples that break a rule indeed, with the reason of each.
_FAULTY: Final = json.loads((_BASE.parent / "faulty.json").read_text())


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Callable[[Tally], None]:
    """Attach the rates to the test's result, as JSON."""
    return lambda tally: record_property("rates", json.dumps(tally.as_json(), ensure_ascii=False))


def test_written_cases(report: Callable[[Tally], None]) -> None:
    """Cases argued one by one get the verdict that the specification gives them."""
    tally = tallied(WRITTEN)
    report(tally)
    _assert_rates(tally, _LEAST, _LEAST_OF_A_RULE)


def test_changed_examples(report: Callable[[Tally], None]) -> None:
    """Examples stay valid by changes that keep their meaning, and become invalid by one broken rule."""
    tally = tallied(_changed(_committed()))
    report(tally)
    _assert_rates(tally, _LEAST, _LEAST_OF_A_RULE)


@pytest.mark.parametrize("version", FORMATS)
def test_official_examples(version: str) -> None:
    """Every official example of HL7 is valid but for those of which we know the fault."""
    refused = {
        name
        for name, content in fhir_examples(version).items()
        if not validator().is_valid(content, FORMATS[version])
    }
    assert set(_faulty(version)) == refused


@pytest.mark.parametrize("version", FORMATS)
def test_all_examples_changed(version: str, report: Callable[[Tally], None]) -> None:
    """Changes to the resources of all examples, many kinds of resource that the small corpus has not."""
    small = [
        (name, version, content)
        for name, content in fhir_examples(version).items()
        if len(content) < 6000 and name not in _faulty(version)
    ]
    tally = tallied(_changed(small[::7]))
    report(tally)
    _assert_rates(tally, _LEAST_OF_EXAMPLES, 0.0)


def test_corpus_is_balanced() -> None:
    """Always saying "invalid" must not pay: valid cases are many, and no case stands twice."""
    cases = [*WRITTEN, *_changed(_committed())]
    counts = Counter(case.valid for case in cases)
    assert counts[True] > counts[False] / 2
    names = Counter((case.version, case.rule, case.name, case.valid) for case in cases)
    assert [] == [name for name, count in names.items() if count > 1]


def _committed() -> Iterable[tuple[str, str, bytes]]:
    return [(path.stem, path.parent.name, path.read_bytes()) for path in sorted(_BASE.glob("*/*.json"))]


def _changed(examples: Iterable[tuple[str, str, bytes]]) -> list[Case]:
    return [case for name, version, content in examples for case in mutated(name, version, content)]


def _faulty(version: str) -> dict[str, str]:
    return {name: reason for reason, names in _FAULTY[version].items() for name in names}


def _assert_rates(tally: Tally, least: float, least_of_a_rule: float) -> None:
    for kind, rates, bound in [
        ("all", tally.total, least),
        *((rule, rates, least_of_a_rule) for rule, rates in tally.rules.items()),
    ]:
        wrong = [str(case) for case in tally.wrong if kind in {"all", case.rule}]
        for share in (rates.specificity, rates.recall):
            assert share is None or share >= bound, (kind, share, wrong[:40])
