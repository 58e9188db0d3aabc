"""Provenance resources: what was done to a record before it was sealed, by whom, from what.

The elements are alike in R4, R4B and R5 (https://hl7.org/fhir/R4/provenance.html), so one text serves all.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_LIFECYCLE: Final = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
_PARTICIPANT: Final = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_URI: Final = "urn:ietf:rfc:3986"


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """What an entry of a bundle was called there, and the record that it became."""

    full_url: str
    record_id: bytes


def record_url(record_id: bytes) -> str:
    """Return the URL by which a Provenance names a record: its id is a UUID."""
    return f"urn:uuid:{uuid.UUID(bytes=record_id)}"


def of_split(links: Sequence[Link], bundle_digest: bytes, recorded: datetime) -> bytes:
    """Return the Provenance of records that a bundle was taken apart into.

    References between the records stand as their sender wrote them, to the full URLs of the bundle. Each
    target here says which record a full URL became: from its `identifier` to its `reference`.

    Args:
        links: one for each full URL that became a record.
        bundle_digest: SHA-256 of the bundle, as it came.
        recorded: aware time.
    """
    return _written(
        "extract",
        "Extract Record Lifecycle Event",
        targets=[
            {
                "reference": record_url(link.record_id),
                "identifier": {"system": _URI, "value": link.full_url},
            }
            for link in links
        ],
        source={"identifier": {"system": _URI, "value": digest_url(bundle_digest)}},
        recorded=recorded,
    )


def of_pseudonyms(
    result_digest: bytes, policy: str, recorded: datetime, records: Sequence[bytes] = ()
) -> bytes:
    """Return the Provenance of a record whose identifiers were replaced; the original is not named.

    Args:
        result_digest: SHA-256 of the canonical form of the result.
        policy: URI of the profile that was followed.
        recorded: aware time.
        records: ids of what the result became, where they are known.
    """
    result = {"identifier": {"system": _URI, "value": digest_url(result_digest)}}
    return _written(
        "pseudonymize",
        "Pseudonymize Record Lifecycle Event",
        targets=[result, *({"reference": record_url(record_id)} for record_id in records)],
        source={"display": "the record before, which is not named"},
        recorded=recorded,
        policy=policy,
    )


def digest_url(digest: bytes) -> str:
    """Return the URN of a SHA-256."""
    return f"urn:hash::sha256:{digest.hex()}"


def _written(
    code: str,
    display: str,
    *,
    targets: Sequence[dict[str, Any]],
    source: dict[str, Any],
    recorded: datetime,
    policy: str | None = None,
) -> bytes:
    resource = {
        "resourceType": "Provenance",
        "target": list(targets),
        "recorded": recorded.isoformat(timespec="milliseconds"),
        **({} if policy is None else {"policy": [policy]}),
        "activity": {"coding": [{"system": _LIFECYCLE, "code": code, "display": display}]},
        "agent": [
            {
                "type": {"coding": [{"system": _PARTICIPANT, "code": "assembler", "display": "Assembler"}]},
                "who": {"display": "CareGrid"},
            }
        ],
        "entity": [{"role": "source", "what": source}],
    }
    return json.dumps(resource, separators=(",", ":"), ensure_ascii=False).encode()
