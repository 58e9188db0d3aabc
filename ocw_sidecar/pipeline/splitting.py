"""Judges FHIR content and takes Bundles apart. Blocks: call it through `asyncio.to_thread`."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import InputInvalid
from caregrid.fhir import is_bundle, split_bundle
from caregrid.sealed import new_data_key, new_record_id, seal
from ocw_sidecar.pipeline.items import (
    AcceptedWhole,
    InRow,
    InSpool,
    Parts,
    RejectedPart,
    RejectedWhole,
    SealedPart,
)
from ocw_sidecar.pipeline.spool import INLINE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.records import RecordFormat
    from ocw_sidecar.pipeline.items import Payload, Verdict
    from ocw_sidecar.pipeline.spool import Spool
    from ocw_sidecar.ports import Ports

NO_RESOURCE: Final = "this entry has no resource, so there is nothing to store"
NO_ENTRY: Final = "this bundle has no entries, so there is nothing to store"


def judge_resource(content: bytes, record_format: RecordFormat, ports: Ports, spool: Spool) -> Verdict:
    """Judge one resource, or each entry of a Bundle whose entries stand for themselves."""
    if not is_bundle(content):
        return _judge_whole(content, record_format, ports)
    try:
        entries = split_bundle(content)
    except InputInvalid as exc:
        return RejectedWhole(outcome=_outcome("structure", str(exc)))
    if not entries:
        return RejectedWhole(outcome=_outcome("required", NO_ENTRY))
    if entries[0] is content:
        return _judge_whole(content, record_format, ports)
    return _judge_entries(entries, record_format, ports, spool)


def spool_files(verdict: Verdict) -> list[str]:
    """Return the spool files that were written for a verdict, to be removed if it is not noted."""
    parts = verdict.parts if isinstance(verdict, Parts) else []
    payloads = [part.payload for part in parts if isinstance(part, SealedPart)]
    return [payload.name for payload in payloads if isinstance(payload, InSpool)]


def _judge_whole(content: bytes, record_format: RecordFormat, ports: Ports) -> Verdict:
    verdict = ports.validator.validate(content, record_format)
    return AcceptedWhole() if verdict.valid else RejectedWhole(outcome=verdict.outcome)


def _judge_entries(
    entries: Sequence[bytes | None], record_format: RecordFormat, ports: Ports, spool: Spool
) -> Verdict:
    parts: list[SealedPart | RejectedPart] = []
    try:
        for entry in entries:
            parts.append(_judge_entry(entry, record_format, ports, spool))  # noqa: PERF401 - kept on a fault
    except BaseException:
        spool.remove(spool_files(Parts(parts=parts)))
        raise
    return Parts(parts=parts)


def _judge_entry(
    entry: bytes | None, record_format: RecordFormat, ports: Ports, spool: Spool
) -> SealedPart | RejectedPart:
    record_id = new_record_id()
    if entry is None:
        return RejectedPart(record_id=record_id, outcome=_outcome("not-supported", NO_RESOURCE))
    verdict = ports.validator.validate(entry, record_format)
    if not verdict.valid:
        return RejectedPart(record_id=record_id, outcome=verdict.outcome)
    return _seal(record_id, entry, ports, spool)


def _seal(record_id: bytes, content: bytes, ports: Ports, spool: Spool) -> SealedPart:
    data_key = new_data_key()
    sealed = seal(data_key, record_id, content)
    return SealedPart(
        record_id=record_id,
        length=len(sealed),
        digest=hashlib.sha256(sealed).digest(),
        payload=_keep(sealed, spool),
        wrapped_key=ports.key_store.wrap(record_id, data_key),
    )


def _keep(sealed: bytes, spool: Spool) -> Payload:
    if len(sealed) <= INLINE_LIMIT:
        return InRow(sealed)
    file = spool.create()
    try:
        file.write(sealed)
        file.finish()
    except BaseException:
        file.discard()
        raise
    return InSpool(file.name)


def _outcome(code: str, diagnostics: str) -> dict[str, Any]:
    issue = {"severity": "error", "code": code, "diagnostics": diagnostics}
    return {"resourceType": "OperationOutcome", "issue": [issue]}
