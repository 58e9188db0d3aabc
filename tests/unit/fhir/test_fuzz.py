"""Whatever the bytes are, the validator answers with a verdict, soon, and without a word of the content."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caregrid.fhir.validator import FhirValidator
from caregrid.records import RecordFormat
from tests.corpus import WRITTEN
from tests.corpus.bases import COLLECTION, OBSERVATION, PATIENT
from tests.corpus.cases import encoded
from tests.corpus.mutations import places

if TYPE_CHECKING:
    from collections.abc import Callable

_BASE: Final = Path(__file__).parents[2] / "corpus" / "base" / "4.0"
_EXAMPLES: Final = [path.read_bytes() for path in sorted(_BASE.glob("*.json"))]
_R4: Final = RecordFormat.FHIR_R4_JSON
_VALIDATOR: Final = FhirValidator()

#: No content of a few hundred kilobytes may take longer, on a slow machine that does other things, too.
_DEADLINE_S: Final = 5.0
#: Stands for what must not leave: nothing that FHIR or our texts say has it inside.
_CANARY: Final = "Zq7xCanary"


def _judge(content: bytes) -> str:
    """Return the outcome's text, after looking at what every verdict must be like."""
    begun = time.monotonic()
    verdict = _VALIDATOR.validate(content, _R4)
    assert time.monotonic() - begun < _DEADLINE_S
    grave = [issue for issue in verdict.outcome["issue"] if issue["severity"] in {"error", "fatal"}]
    assert verdict.valid == (not grave)
    return json.dumps(verdict.outcome)


@pytest.mark.parametrize("content", _EXAMPLES[::6], ids=len)
def test_truncated_anywhere(content: bytes) -> None:
    """No beginning of a resource is a resource, wherever it is cut."""
    end = len(content.rstrip())
    accepted = [cut for cut in range(end) if _VALIDATOR.is_valid(content[:cut], _R4)]
    assert [] == accepted


_JSON: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["Patient", "#", "2024"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=8) | st.sampled_from(sorted(PATIENT | OBSERVATION)), inner, max_size=6
        )
    ),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(_JSON)
def test_any_json(value: Any) -> None:
    """JSON of any shape gets a verdict; NaN and Infinity are refused."""
    text = json.dumps(value)
    _judge(text.encode())
    if "NaN" in text or "Infinity" in text:
        assert not _VALIDATOR.is_valid(b'{"resourceType": "Patient", "active": NaN}', _R4)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(PATIENT | OBSERVATION)), _JSON, max_size=8))
def test_any_members_of_a_resource(members: dict[str, Any]) -> None:
    """Members of the right names with anything in them get a verdict."""
    _judge(json.dumps(members | {"resourceType": "Patient"}).encode())
    _judge(json.dumps(members | {"resourceType": "Observation"}).encode())


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    """Bytes of any kind get a verdict, which is "invalid"."""
    _judge(content)
    assert not _VALIDATOR.is_valid(content, _R4)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(_EXAMPLES), st.data())
def test_damaged_examples(content: bytes, data: st.DataObject) -> None:
    """Examples with bytes changed, taken away, doubled and swapped get a verdict."""
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        length = data.draw(st.integers(0, 40))
        damaged[place : place + length] = data.draw(
            st.binary(max_size=8)
            | st.sampled_from([b"{", b"}", b"[", b"]", b'"', b"\\", b"\\ud800", b"null", b"1e999"])
        )
    _judge(bytes(damaged))


_HUGE: Final[dict[str, Callable[[], bytes]]] = {
    "deep arrays": lambda: b"[" * 200_000,
    "deep objects": lambda: b'{"a":' * 100_000,
    "deep extensions": lambda: (
        b'{"resourceType":"Patient",' + b'"extension":[{"url":"http://a.example",' * 20_000
    ),
    "deep contained": lambda: b'{"resourceType":"Patient","contained":[' * 20_000,
    "a long string": lambda: encoded(PATIENT | {"name": [{"text": "x" * 3_000_000}]}),
    "a long name": lambda: encoded(PATIENT | {"x" * 1_000_000: 1}),
    "many members": lambda: encoded(PATIENT | {f"x{number}": number for number in range(50_000)}),
    "many names": lambda: encoded(PATIENT | {"name": [{"text": "x"}] * 50_000}),
    "many empties": lambda: encoded(PATIENT | {"name": [{}] * 50_000}),
    "many contained": lambda: encoded(
        PATIENT
        | {
            "contained": [
                {"resourceType": "Organization", "id": f"o{number}", "name": "x"} for number in range(2_000)
            ]
        }
    ),
    "a long number": lambda: b'{"resourceType":"Observation","valueInteger":' + b"9" * 300_000 + b"}",
    "a large exponent": lambda: encoded(OBSERVATION).replace(b"7.2", b"1e999999999"),
    "a long narrative": lambda: encoded(
        PATIENT | {"text": {"status": "generated", "div": "<div>" * 100_000}}
    ),
    "many entities": lambda: encoded(
        PATIENT | {"text": {"status": "generated", "div": "<div>" + "&lol;" * 100_000}}
    ),
    "a long date": lambda: encoded(PATIENT | {"birthDate": "1" * 1_000_000}),
    "a long code": lambda: encoded(PATIENT | {"gender": " " * 1_000_000}),
    "many entries": lambda: encoded(COLLECTION | {"entry": COLLECTION["entry"] * 1_000}),
    "a list around": lambda: b"[" * 90 + encoded(PATIENT) + b"]" * 90,
    "NULs": lambda: b"\0" * 100_000,
    "blanks": lambda: b" " * 1_000_000,
}


@pytest.mark.parametrize("name", _HUGE)
def test_huge_content(name: str) -> None:
    """What is huge or deep gets a verdict in time, and an outcome that is not huge."""
    outcome = _judge(_HUGE[name]())
    assert len(outcome) < 200_000


def test_outcome_keeps_values_to_itself() -> None:
    """No value of a record is in its outcome, whichever rule it breaks."""
    source = random.Random(6)  # noqa: S311 - a test's choice
    for content in _EXAMPLES:
        for _ in range(25):
            resource = json.loads(content)
            texts = [
                place
                for place in places(resource)
                if isinstance(place.value, str) and place.name != "resourceType"
            ]
            place = source.choice(texts)
            place.inside[place.name] = source.choice(
                [
                    _CANARY,
                    f" {_CANARY} ",
                    f"http://{_CANARY}/{_CANARY}",
                    f"#{_CANARY}",
                    f"{_CANARY}/1",
                    [_CANARY],
                    {_CANARY: 1},
                ]
            )
            assert _CANARY.lower() not in _judge(encoded(resource)).lower()


def test_outcome_keeps_unknown_names_to_itself() -> None:
    """A name that FHIR does not define is the sender's own text, and not in the outcome."""
    source = random.Random(7)  # noqa: S311 - a test's choice
    for content in _EXAMPLES:
        for name in (_CANARY, f"_{_CANARY}", f"value{_CANARY}", f"{_CANARY}\n"):
            resource = json.loads(content)
            objects = [place for place in places(resource) if isinstance(place.value, dict)]
            inside = source.choice(objects).value if objects else resource
            inside[name] = source.choice(["x", 1, None, {}, [{_CANARY: 1}]])
            assert _CANARY.lower() not in _judge(encoded(resource)).lower()


def test_outcome_keeps_types_to_itself() -> None:
    """Neither is the name of a type that FHIR does not define."""
    for value in (_CANARY, f"Patient{_CANARY}", [_CANARY], {_CANARY: _CANARY}):
        assert _CANARY.lower() not in _judge(encoded({"resourceType": value})).lower()
    doubled = f'{{"resourceType": "Patient", "{_CANARY}": 1, "{_CANARY}": 2}}'
    assert _CANARY.lower() not in _judge(doubled.encode()).lower()


def test_verdict_and_outcome_agree() -> None:
    """The quick verdict is the outcome's, for every case that is written down."""
    for case in WRITTEN[::5]:
        assert _VALIDATOR.validate(case.content, _R4).valid == _VALIDATOR.is_valid(case.content, _R4)
