"""Judges FHIR content and takes Bundles apart. Blocks: call it through `asyncio.to_thread`."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import InputInvalid
from caregrid.fhir import bundle_entries, is_bundle
from caregrid.preprocessing import Link, of_split, relations
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

    from caregrid.fhir import Entry
    from caregrid.fhir import Verdict as Judged
    from caregrid.records import RecordFormat
    from ocw_sidecar.pipeline.items import Payload, Verdict
    from ocw_sidecar.pipeline.spool import Spool
    from ocw_sidecar.ports import Ports

NO_RESOURCE: Final = "this entry has no resource, so there is nothing to store"
DUPLICATE: Final = "this entry says the same as entry {0} (counted from 0), and is stored as that only"
NO_ENTRY: Final = "this bundle has no entries, so there is nothing to store"


def judge_resource(content: bytes, record_format: RecordFormat, ports: Ports, spool: Spool) -> Verdict:
    """Judge one resource, or each entry of a Bundle whose entries stand for themselves.

    A Bundle that breaks the rules of Bundles is refused as a whole. Of entries that say the same, the first
    is kept. Where entries refer to each other by URLs that mean something in the Bundle only, a Provenance
    comes behind them, which says what record each URL became.
    """
    if not is_bundle(content):
        return _judge_whole(content, record_format, ports)
    try:
        entries = bundle_entries(content)
    except InputInvalid as exc:
        return RejectedWhole(outcome=_outcome("structure", str(exc)))
    if entries is None:
        return _judge_whole(content, record_format, ports)
    if not entries:
        return RejectedWhole(outcome=_outcome("required", NO_ENTRY))
    verdict = ports.validator.validate_bundle(content, entries, record_format)
    if not verdict.bundle.valid:
        return RejectedWhole(outcome=verdict.bundle.outcome)
    return _Split(content, entries, verdict.entries, ports, spool).parts()


def spool_files(verdict: Verdict) -> list[str]:
    """Return the spool files that were written for a verdict, to be removed if it is not noted."""
    parts = verdict.parts if isinstance(verdict, Parts) else []
    payloads = [part.payload for part in parts if isinstance(part, SealedPart)]
    return [payload.name for payload in payloads if isinstance(payload, InSpool)]


def _judge_whole(content: bytes, record_format: RecordFormat, ports: Ports) -> Verdict:
    verdict = ports.validator.validate(content, record_format)
    return AcceptedWhole() if verdict.valid else RejectedWhole(outcome=verdict.outcome)


class _Split:
    # Turns the entries of one Bundle into parts, in its order.

    def __init__(
        self,
        content: bytes,
        entries: Sequence[Entry],
        verdicts: Sequence[Judged | None],
        ports: Ports,
        spool: Spool,
    ) -> None:
        self._content, self._entries, self._verdicts = content, entries, verdicts
        self._ports, self._spool = ports, spool
        sound = [index for index, verdict in enumerate(verdicts) if verdict is not None and verdict.valid]
        self._relations = relations(entries, sound)
        self._ids: dict[int, bytes] = {}

    def parts(self) -> Parts:
        made: list[SealedPart | RejectedPart] = []
        try:
            for index in range(len(self._entries)):
                made.append(self._part(index))  # noqa: PERF401 - kept on a fault
            if self._relations.linked:
                made.append(self._provenance())
        except BaseException:
            self._spool.remove(spool_files(Parts(parts=made)))
            raise
        return Parts(parts=made)

    def _part(self, index: int) -> SealedPart | RejectedPart:
        resource, verdict = self._entries[index].resource, self._verdicts[index]
        record_id = new_record_id()
        if resource is None or verdict is None:
            return RejectedPart(record_id=record_id, outcome=_outcome("not-supported", NO_RESOURCE))
        if not verdict.valid:
            return RejectedPart(record_id=record_id, outcome=verdict.outcome)
        if (first := self._relations.duplicates.get(index)) is not None:
            self._ids[index] = self._ids[first]
            return RejectedPart(record_id=record_id, outcome=_same_as(first))
        self._ids[index] = record_id
        return _seal(record_id, resource, self._ports, self._spool)

    def _provenance(self) -> SealedPart:
        links = [
            Link(full_url=url, record_id=record_id)
            for index, record_id in self._ids.items()
            if (url := self._entries[index].full_url) is not None
        ]
        text = of_split(links, hashlib.sha256(self._content).digest(), self._ports.now())
        return _seal(new_record_id(), text, self._ports, self._spool)


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


def _same_as(entry: int) -> dict[str, Any]:
    return _outcome("duplicate", DUPLICATE.format(entry), severity="information")


def _outcome(code: str, text: str, *, severity: str = "error") -> dict[str, Any]:
    issue = {"severity": severity, "code": code, "details": {"text": text}}
    return {"resourceType": "OperationOutcome", "issue": [issue]}
