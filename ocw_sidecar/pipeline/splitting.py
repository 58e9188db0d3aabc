"""Turns what was judged into records, each sealed under a key of its own. Blocks: call it in a thread."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from caregrid.preprocessing import Link, of_pseudonyms, of_split, record_url
from caregrid.sealed import new_data_key, new_record_id, seal
from ocw_sidecar.pipeline.items import (
    AcceptedWhole,
    DuplicatePart,
    DuplicateWhole,
    InRow,
    InSpool,
    Parts,
    RejectedPart,
    RejectedWhole,
    SealedPart,
)
from ocw_sidecar.pipeline.judging import Judge, Whole, note_of, told
from ocw_sidecar.pipeline.spool import INLINE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.preprocessing import Pseudonymised
    from caregrid.records import RecordFormat
    from ocw_sidecar.pipeline.items import Part, Payload, Verdict
    from ocw_sidecar.pipeline.judging import Bundled, Judged, Outcome
    from ocw_sidecar.pipeline.spool import Spool
    from ocw_sidecar.ports import Ports

NO_RESOURCE: Final = "this entry has no resource, so there is nothing to store"
DUPLICATE_ENTRY: Final = "this entry says the same as entry {0} (counted from 0), and is stored as that only"
DUPLICATE_RECORD: Final = "it says the same as a record of this patient that is final: {0}"
PSEUDONYMS: Final = "identifiers were replaced as {0} says; what was done stands in {1}"


def judge_resource(content: bytes, record_format: RecordFormat, ports: Ports, spool: Spool) -> Verdict:
    """Judge FHIR content and turn it into records, with nothing to compare it to."""
    judge = Judge(validator=ports.validator, now=ports.now(), pseudonyms=ports.pseudonyms)
    return settle(judge.judge(content, record_format, None), {}, ports, spool)


def settle(judged: Judged, originals: Mapping[bytes, bytes], ports: Ports, spool: Spool) -> Verdict:
    """Turn what was judged into records.

    What says the same as a final record becomes no record, and names that one. Of a Bundle's entries that say
    the same, the first is kept. Where entries refer to each other by URLs that mean something in the Bundle
    only, a Provenance comes behind them, which says what record each URL became. Where identifiers were
    replaced, a Provenance says so.

    Args:
        judged: what there is.
        originals: final records by their fingerprints.
        ports: the key store, the time and how identifiers are replaced.
        spool: where large records go.
    """
    if isinstance(judged, RejectedWhole):
        return judged
    if not isinstance(judged, Whole):
        return _Splitting(judged, originals, ports, spool).parts()
    original = None if judged.fingerprint is None else originals.get(judged.fingerprint)
    if original is not None:
        return DuplicateWhole(original=original, outcome=_same_as_record(original))
    if judged.pseudonyms is None:
        return AcceptedWhole(outcome=judged.note, fingerprint=judged.fingerprint)
    return _replaced(judged, judged.pseudonyms, _Sealing(ports, spool))


def spool_files(verdict: Verdict) -> list[str]:
    """Return the spool files that were written for a verdict, to be removed if it is not noted."""
    parts = verdict.parts if isinstance(verdict, Parts) else []
    payloads = [part.payload for part in parts if isinstance(part, SealedPart)]
    return [payload.name for payload in payloads if isinstance(payload, InSpool)]


class _Sealing:
    # Seals parts of one submission.

    def __init__(self, ports: Ports, spool: Spool) -> None:
        self._ports, self._spool = ports, spool
        self.policy = "" if ports.pseudonyms is None else ports.pseudonyms.uri

    def seal(
        self,
        record_id: bytes,
        content: bytes,
        note: Outcome | None = None,
        fingerprint: bytes | None = None,
    ) -> SealedPart:
        data_key = new_data_key()
        sealed = seal(data_key, record_id, content)
        return SealedPart(
            record_id=record_id,
            length=len(sealed),
            digest=hashlib.sha256(sealed).digest(),
            payload=_keep(sealed, self._spool),
            wrapped_key=self._ports.key_store.wrap(record_id, data_key),
            outcome=note,
            fingerprint=fingerprint,
        )

    def tell_of_pseudonyms(self, done: Pseudonymised, told_in: bytes, records: Sequence[bytes]) -> SealedPart:
        text = of_pseudonyms(done.digest, self.policy, self._ports.now(), records)
        return self.seal(told_in, text)

    def tell_of_split(self, links: Sequence[Link], content: bytes) -> SealedPart:
        text = of_split(links, hashlib.sha256(content).digest(), self._ports.now())
        return self.seal(new_record_id(), text)

    def discard(self, parts: Sequence[Part]) -> None:
        self._spool.remove(spool_files(Parts(parts=parts)))


def _replaced(whole: Whole, done: Pseudonymised, sealing: _Sealing) -> Parts:
    record_id, told_in = new_record_id(), new_record_id()
    note = _with_pseudonyms(whole.note, sealing.policy, told_in)
    record = sealing.seal(record_id, whole.content, note, whole.fingerprint)
    try:
        return Parts(parts=[record, sealing.tell_of_pseudonyms(done, told_in, [record_id])])
    except BaseException:
        sealing.discard([record])
        raise


class _Splitting:
    # Turns the entries of one Bundle into parts, in its order.

    def __init__(self, bundle: Bundled, originals: Mapping[bytes, bytes], ports: Ports, spool: Spool) -> None:
        self._bundle, self._originals = bundle, originals
        self._sealing = _Sealing(ports, spool)
        self._told_in = new_record_id()  # the record that tells of pseudonyms
        self._ids: dict[int, bytes] = {}  # records by the entries that say what is in them

    def parts(self) -> Parts:
        made: list[Part] = []
        try:
            for index in range(len(self._bundle.entries)):
                made.append(self._part(index))  # noqa: PERF401 - kept on a fault
            records = [part.record_id for part in made if isinstance(part, SealedPart)]
            if self._bundle.relations.linked:
                made.append(self._sealing.tell_of_split(self._links(), self._bundle.content))
            if (done := self._bundle.pseudonyms) is not None and records:
                made.append(self._sealing.tell_of_pseudonyms(done, self._told_in, records))
        except BaseException:
            self._sealing.discard(made)
            raise
        return Parts(parts=made)

    def _part(self, index: int) -> Part:
        resource, verdict = self._bundle.entries[index].resource, self._bundle.verdicts[index]
        record_id = new_record_id()
        if resource is None or verdict is None:
            return RejectedPart(record_id=record_id, outcome=told("not-supported", NO_RESOURCE))
        if not verdict.valid:
            return RejectedPart(record_id=record_id, outcome=verdict.outcome)
        if (duplicate := self._duplicate(index, record_id)) is not None:
            return duplicate
        self._ids[index] = record_id
        note = note_of(verdict)
        if self._bundle.pseudonyms is not None:
            note = _with_pseudonyms(note, self._sealing.policy, self._told_in)
        return self._sealing.seal(record_id, resource, note, self._bundle.fingerprints.get(index))

    def _duplicate(self, index: int, record_id: bytes) -> DuplicatePart | None:
        first = self._bundle.relations.duplicates.get(index)
        fingerprint = self._bundle.fingerprints.get(index)
        known = None if fingerprint is None else self._originals.get(fingerprint)
        if first is not None:
            original, outcome = self._ids[first], _same_as_entry(first)
        elif known is not None:
            original, outcome = known, _same_as_record(known)
        else:
            return None
        self._ids[index] = original
        return DuplicatePart(record_id=record_id, original=original, outcome=outcome)

    def _links(self) -> list[Link]:
        return [
            Link(full_url=url, record_id=record_id)
            for index, record_id in self._ids.items()
            if (url := self._bundle.entries[index].full_url) is not None
        ]


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


def _same_as_entry(entry: int) -> Outcome:
    return told("duplicate", DUPLICATE_ENTRY.format(entry), severity="information")


def _same_as_record(original: bytes) -> Outcome:
    return told("duplicate", DUPLICATE_RECORD.format(record_url(original)), severity="information")


def _with_pseudonyms(note: Outcome | None, policy: str, told_in: bytes) -> Outcome:
    said = told("informational", PSEUDONYMS.format(policy, record_url(told_in)), severity="information")
    return said if note is None else {**note, "issue": [*said["issue"], *note["issue"]]}
