"""Entries that say the same are found, references are traced, and the Provenance of both is sound FHIR."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from caregrid.fhir import Entry, validate
from caregrid.preprocessing import Link, Relations, content_digest, of_split, record_url, relations

PATIENT_URL = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"


def entry(resource: bytes | None, full_url: str | None = None) -> Entry:
    """Return an entry."""
    return Entry(full_url=full_url, resource=resource)


def look(*entries: Entry) -> Relations:
    """Return the relations of all entries that have a resource."""
    return relations(entries, [index for index, one in enumerate(entries) if one.resource is not None])


def test_equal_resources_are_duplicates() -> None:
    """Order and layout make no difference, digits do; the first of equals counts."""
    found = look(
        entry(b'{"a":1.0,"b":2}'),
        entry(b'{"b": 2, "a": 1.0}'),
        entry(b'{"a":1.00,"b":2}'),
        entry(None),
        entry(b'{"b":2,"a":1.0}', full_url=PATIENT_URL),
    )
    assert (found.duplicates, found.linked) == ({1: 0, 4: 0}, False)
    assert found.digests[0] == found.digests[1] == found.digests[4] == content_digest(b'{"a":1.0,"b":2}')
    assert {0, 1, 2, 4} == set(found.digests)


def test_only_what_is_asked_about_is_looked_at() -> None:
    """An invalid entry is no first one, of which a valid one would be the duplicate."""
    entries = [entry(b'{"a":1}'), entry(b'{"a":1}')]
    found = relations(entries, [1])
    assert ({}, {1}) == (found.duplicates, set(found.digests))


@pytest.mark.parametrize(
    ("resource", "linked"),
    [
        ({"subject": {"reference": PATIENT_URL}}, True),
        ({"extension": [{"valueUri": PATIENT_URL}]}, True),
        ({"subject": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000000"}}, False),
        ({"subject": {"reference": "Patient/1"}}, False),
        ({"subject": {"display": f"see {PATIENT_URL}"}}, False),
    ],
)
def test_links_are_found(resource: dict[str, Any], linked: bool) -> None:  # noqa: FBT001 - a table
    """A reference to an entry's URN is a link that the bundle alone explains; others are not."""
    found = look(entry(b'{"id":"1"}', full_url=PATIENT_URL), entry(json.dumps(resource).encode()))
    assert found.linked is linked


def test_escaped_reference_is_a_link() -> None:
    """How a reference is written in JSON makes no difference."""
    escaped = f'{{"reference":"\\u0075{PATIENT_URL[1:]}"}}'.encode()
    assert look(entry(b"{}", full_url=PATIENT_URL), entry(escaped)).linked


@pytest.mark.parametrize("resource", [b"{", b'{"a":"\\ud800"}', b'{"a":' * 980 + b"1" + b"}" * 980])
def test_unreadable_resources_relate_to_nothing(resource: bytes) -> None:
    """What cannot be read is left to the validator."""
    assert look(entry(resource), entry(resource)) == Relations(duplicates={}, linked=False, digests={})


@pytest.mark.parametrize("version", ["4.0", "4.3", "5.0"])
def test_provenance_is_valid_and_leads_from_url_to_record(version: str) -> None:
    """In each version the Provenance is valid; its targets map full URLs to records."""
    record = uuid.uuid4().bytes
    text = of_split(
        [Link(full_url=PATIENT_URL, record_id=record)], bytes(32), datetime(2026, 1, 2, tzinfo=UTC)
    )
    verdict = validate(text, version=version)
    assert verdict.valid, verdict.outcome
    (target,) = json.loads(text)["target"]
    assert (target["identifier"]["value"], target["reference"]) == (PATIENT_URL, record_url(record))
    assert uuid.UUID(target["reference"].removeprefix("urn:uuid:")).bytes == record
