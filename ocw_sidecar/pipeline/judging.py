"""Judges content: what of it may become records, and in which form. Blocks: call it in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caregrid.content import examine, is_grave, outcome
from caregrid.errors import InputInvalid, TerminologyUnreachable
from caregrid.fhir import bundle_entries, is_bundle
from caregrid.fhir.terminology import UNANSWERED
from caregrid.preprocessing import pseudonymise, relations
from ocw_sidecar.pipeline.items import RejectedWhole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from caregrid.content import MediaType
    from caregrid.fhir import BundleVerdict, Entry, Validator
    from caregrid.fhir import Verdict as Judgement
    from caregrid.preprocessing import Pseudonymised, PseudonymProfile, Relations
    from caregrid.records import RecordFormat
    from ocw_sidecar.pipeline.fingerprints import Fingerprints

NO_ENTRY: Final = "this bundle has no entries, so there is nothing to store"
NO_PSEUDONYMS: Final = "identifiers cannot be replaced as the sidecar's profile asks: {0}"

Outcome = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Whole:
    """Content that is one record."""

    content: bytes
    note: Outcome | None  #: what its submitter should know though it is valid
    fingerprint: bytes | None
    pseudonyms: Pseudonymised | None  #: where it is not what was handed in


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundled:
    """A Bundle, each of whose entries is a record, if it is valid."""

    content: bytes
    entries: Sequence[Entry]
    verdicts: Sequence[Judgement | None]
    relations: Relations
    fingerprints: Mapping[int, bytes]  #: of valid entries, by their index
    pseudonyms: Pseudonymised | None


Judged = Whole | Bundled | RejectedWhole


@dataclass(frozen=True, kw_only=True, slots=True)
class Judge:
    """Judges FHIR, and replaces identifiers in it where that is asked for."""

    validator: Validator
    now: datetime
    pseudonyms: PseudonymProfile | None = None
    require_answers: bool = False  #: a code that a terminology server should have been heard about waits

    def judge(self, content: bytes, record_format: RecordFormat, prints: Fingerprints | None) -> Judged:
        """Judge one resource, or each entry of a Bundle whose entries stand for themselves.

        A Bundle that breaks the rules of Bundles is refused as a whole. Identifiers are replaced in what was
        found valid, and the result is judged once more: it may lack what FHIR requires.

        Raises:
            TerminologyUnreachable: a code was not checked, and has to be.
        """
        first = self._judged(content, record_format, prints)
        if self.pseudonyms is None or isinstance(first, RejectedWhole):
            return first
        try:
            done = pseudonymise(content, self.pseudonyms, self.now)
        except InputInvalid as exc:
            return RejectedWhole(outcome=told("business-rule", NO_PSEUDONYMS.format(exc)))
        return self._again(first, self._judged(done.content, record_format, prints, done))

    def _judged(
        self,
        content: bytes,
        record_format: RecordFormat,
        prints: Fingerprints | None,
        done: Pseudonymised | None = None,
    ) -> Judged:
        try:
            entries = bundle_entries(content) if is_bundle(content) else None
        except InputInvalid as exc:
            return RejectedWhole(outcome=told("structure", str(exc)))
        if entries is None:
            return self._whole(content, record_format, prints, done)
        if not entries:
            return RejectedWhole(outcome=told("required", NO_ENTRY))
        verdict = self.validator.validate_bundle(content, entries, record_format)
        self._require_answers(verdict.bundle, *verdict.entries)
        if not verdict.bundle.valid:
            return RejectedWhole(outcome=verdict.bundle.outcome)
        return _bundled(content, entries, verdict, prints, done)

    def _whole(
        self,
        content: bytes,
        record_format: RecordFormat,
        prints: Fingerprints | None,
        done: Pseudonymised | None,
    ) -> Judged:
        verdict = self.validator.validate(content, record_format)
        self._require_answers(verdict)
        if not verdict.valid:
            return RejectedWhole(outcome=verdict.outcome)
        return Whole(
            content=content,
            note=note_of(verdict),
            fingerprint=None if prints is None else prints.of(content),
            pseudonyms=done,
        )

    def _require_answers(self, *verdicts: Judgement | None) -> None:
        # What is invalid all the same need not wait.
        waiting = any(one is not None and one.valid and one.unanswered for one in verdicts)
        if self.require_answers and waiting:
            raise TerminologyUnreachable

    def _again(self, first: Judged, second: Judged) -> Judged:
        if not isinstance(first, Bundled) or not isinstance(second, Bundled):
            return second
        # What was wrong before is told as it stands in what was sent.
        verdicts = [
            was if was is not None and not was.valid else now
            for was, now in zip(first.verdicts, second.verdicts, strict=True)
        ]
        return Bundled(
            content=second.content,
            entries=second.entries,
            verdicts=verdicts,
            relations=second.relations,
            fingerprints=second.fingerprints,
            pseudonyms=second.pseudonyms,
        )


def judge_text(content: bytes, media_type: MediaType) -> RejectedWhole | None:
    """Return why text of another kind than FHIR is refused, if it is."""
    issues = examine(content, media_type)
    if any(is_grave(issue.rule.severity) for issue in issues):
        return RejectedWhole(outcome=outcome(issues))
    return None


def note_of(verdict: Judgement) -> Outcome | None:
    """Return what the submitter of something valid cannot know: which codes nobody answered for."""
    open_ones = [issue for issue in verdict.outcome.get("issue", ()) if issue["code"] == UNANSWERED]
    return {**verdict.outcome, "issue": open_ones} if open_ones else None


def told(code: str, text: str, *, severity: str = "error") -> Outcome:
    """Return an outcome of one issue."""
    issue = {"severity": severity, "code": code, "details": {"text": text}}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _bundled(
    content: bytes,
    entries: Sequence[Entry],
    verdict: BundleVerdict,
    prints: Fingerprints | None,
    done: Pseudonymised | None,
) -> Bundled:
    sound = [index for index, one in enumerate(verdict.entries) if one is not None and one.valid]
    related = relations(entries, sound)
    known = {} if prints is None else {index: prints.of_digest(of) for index, of in related.digests.items()}
    return Bundled(
        content=content,
        entries=entries,
        verdicts=verdict.entries,
        relations=related,
        fingerprints=known,
        pseudonyms=done,
    )
