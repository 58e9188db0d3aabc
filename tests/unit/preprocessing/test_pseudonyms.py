"""Pseudonyms replace what a profile names, alike everywhere, and nothing of the originals is left."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from caregrid.content.jsontext import parse
from caregrid.errors import ConfigInvalid, InputInvalid
from caregrid.fhir import validate
from caregrid.preprocessing import Pseudonymised, PseudonymProfile, pseudonymise

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = bytes(range(32))
PROFILE: dict[str, Any] = {
    "uri": "urn:example:study-7",
    "rules": [
        {"path": "*.**.identifier.value", "do": "hmac", "system": "urn:example:pseudonyms"},
        {"path": "Patient.name", "do": "remove"},
        {"path": "Patient.contact", "do": "remove"},
    ],
    "ids": ["Patient"],
}
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p-4711",
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Qxzjw</div>'},
    "contained": [{"resourceType": "Organization", "id": "o", "identifier": [{"value": "ORG-4711"}]}],
    "identifier": [{"system": "urn:mrn", "value": "MRN-4711"}, {"system": "urn:other", "value": "MRN-4711"}],
    "name": [{"family": "Qxzjw"}],
    "_birthDate": {"extension": [{"url": "urn:x", "valueDecimal": 1}]},
    "managingOrganization": {"reference": "#o"},
}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "x"},
    "subject": {
        "reference": "https://h.example/Patient/p-4711/_history/2",
        "identifier": {"system": "urn:mrn", "value": "MRN-4711"},
    },
    "valueString": "y",
}


def profile(**changes: Any) -> PseudonymProfile:
    """Return the profile with changes."""
    return PseudonymProfile.from_mapping({**PROFILE, **changes}, KEY)


def run(resource: Any, declared: PseudonymProfile | None = None) -> tuple[Any, Pseudonymised]:
    """Return the resource after pseudonymisation, and all that was said of it."""
    done = pseudonymise(json.dumps(resource).encode(), declared or profile(), NOW)
    return json.loads(done.content), done


def test_nothing_of_the_originals_is_left() -> None:
    """No original is in the content, in what is said of it, or in a digest that one could guess from."""
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": PATIENT}, {"resource": OBSERVATION}],
    }
    _, done = run(bundle)
    told = done.content + done.provenance + json.dumps(done.changed).encode()
    assert b"4711" not in told
    assert b"xzjw" not in told


def test_pseudonyms_agree_across_resources() -> None:
    """One identifier has one pseudonym, and a reference leads where it led; another issuer is another."""
    patient, _ = run(PATIENT)
    observation, _ = run(OBSERVATION)
    first, second = (one["value"] for one in patient["identifier"])
    assert observation["subject"]["identifier"] == {"system": "urn:example:pseudonyms", "value": first}
    assert observation["subject"]["reference"] == f"https://h.example/Patient/{patient['id']}/_history/2"
    assert first != second
    other = PseudonymProfile.from_mapping(PROFILE, b"x" * 32)
    assert run(PATIENT, other)[0]["id"] != patient["id"]


def test_result_is_labelled_and_valid() -> None:
    """Both resource and Provenance are valid FHIR, and the resource says that it has pseudonyms."""
    patient, done = run(PATIENT)
    assert [one["code"] for one in patient["meta"]["security"]] == ["PSEUDED"]
    assert not {"name", "text"} & set(patient)
    for content in (done.content, done.provenance):
        verdict = validate(content)
        assert verdict.valid, verdict.outcome
    provenance = json.loads(done.provenance)
    assert provenance["policy"] == ["urn:example:study-7"]
    assert provenance["activity"]["coding"][0]["code"] == "pseudonymize"
    assert done.changed == {"*.**.identifier.value": 3, "Patient.name": 1, "ids": 1}


def test_what_is_not_named_stays() -> None:
    """Order and digits of all else are untouched, and a resource without finds is not labelled."""
    written = b'{"resourceType": "Basic", "z": 1.50, "a": [{"b": 0.10}], "id": "7"}'
    done = pseudonymise(written, profile(), NOW)
    assert done.content == b'{"resourceType":"Basic","z":1.50,"a":[{"b":0.10}],"id":"7"}'
    assert done.changed == {}
    assert parse(done.content) == parse(written)


def test_narrative_is_kept_on_request() -> None:
    """A profile may say that narratives stay."""
    kept, _ = run(PATIENT, profile(keep_narrative=True))
    assert kept["text"] == PATIENT["text"]


def test_container_takes_the_label_of_what_it_contains() -> None:
    """A contained resource has no label of its own (dom-5) and keeps its id, which is local."""
    patient, _ = run(PATIENT)
    (contained,) = patient["contained"]
    assert "meta" not in contained
    assert contained["id"] == "o"


def test_lists_and_their_gaps_are_replaced() -> None:
    """Each string of a list gets a pseudonym; a gap beside an extension stays a gap."""
    declared = profile(rules=[{"path": "Patient.name.given", "do": "hmac"}])
    patient, done = run({"resourceType": "Patient", "name": [{"given": ["A", None, "A"]}]}, declared)
    one, gap, same = patient["name"][0]["given"]
    assert (gap, one == same, len(one)) == (None, True, 32)
    assert done.changed == {"Patient.name.given": 2}


@pytest.mark.parametrize(
    "resource",
    [
        [],
        {"resourceType": "Observation", "subject": {"reference": "Patient?identifier=urn:mrn|4711"}},
        {
            "resourceType": "Bundle",
            "entry": [{"request": {"method": "PUT", "url": "Patient?identifier=4711"}}],
        },
        {
            "resourceType": "Bundle",
            "entry": [{"request": {"method": "POST", "ifNoneExist": "identifier=4711"}}],
        },
        {"resourceType": "Patient", "identifier": [{"value": 4711}]},
        {"resourceType": "Patient", "identifier": [{"value": {"a": "4711"}}]},
    ],
)
def test_what_cannot_be_replaced_is_refused(resource: Any) -> None:
    """Rather than leave an identifier in clear, nothing is returned; the error does not quote it."""
    with pytest.raises(InputInvalid) as caught:
        run(resource)
    assert "4711" not in str(caught.value)


def test_deep_content_is_refused() -> None:
    """Content nested beyond measure is an error, not a crash."""
    with pytest.raises(InputInvalid):
        pseudonymise(b'{"a":' * 900 + b"1" + b"}" * 900, profile(), NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"uri": "no uri"},
        {"rules": [{"path": "identifier.value", "do": "hmac"}]},
        {"rules": [{"path": "Patient.**", "do": "remove"}]},
        {"rules": [{"path": "Patient.**.a.**.b", "do": "remove"}]},
        {"rules": [{"path": "Patient.name", "do": "encrypt"}]},
        {"rules": [{"path": "Patient.name"}]},
        {"unknown": 1},
    ],
)
def test_unusable_profile_is_refused(changes: dict[str, Any]) -> None:
    """A profile that says nothing clear is refused when it is declared."""
    with pytest.raises(ConfigInvalid):
        profile(**changes)


def test_short_key_is_refused_and_no_key_is_shown() -> None:
    """A key that could be tried out is refused; a good one is in no text."""
    with pytest.raises(ConfigInvalid):
        PseudonymProfile.from_mapping(PROFILE, b"short")
    assert repr(KEY) not in repr(profile())
