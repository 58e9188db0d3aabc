"""Validation of FHIR against HL7's own definitions, and of other content by its form."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from caregrid.content import (
    Issue,
    MediaType,
    Rule,
    examine,
    is_grave,
    outcome,
    outcome_of,
    precheck,
    sniffing,
)
from caregrid.fhir import native
from caregrid.fhir.port import VERSIONS, BundleVerdict, Validator, Verdict
from caregrid.fhir.profiles import Profiles
from caregrid.fhir.terminology import UNANSWERED, settle
from caregrid.records import RecordFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid_native import Report
    from caregrid_native import Validator as Engine

    from caregrid.fhir.bundle import Entry
    from caregrid.fhir.terminology import Terminology

#: A whole bundle is judged in one go; beyond so many issues for each entry, entries are judged one by one.
_ISSUES_AN_ENTRY: Final = 20

UNLISTED: Final = Rule(
    "too-many-issues", "too-costly", "the bundle has more problems than are listed; send it in parts"
)

_OF_ENTRY: Final = re.compile(r"Bundle\.entry\[(\d+)\]")


@dataclass
class FhirValidator(Validator):
    """The validator of the project. Threads may share one; each FHIR version is loaded on first use.

    What is checked of FHIR, rule kind by rule kind, stands in `docs/reference/validation.md`. DICOM is
    checked as far as its header goes, BINARY for being there.
    """

    profiles: Profiles = field(default_factory=Profiles)  #: definitions beside HL7's
    enforce: bool = False  #: resources must follow the profiles of their kind even if they do not claim to
    terminology: Terminology | None = None  #: is asked about codes that the definitions do not settle
    _engines: dict[str, Engine] = field(default_factory=dict, init=False, repr=False)
    _enforced: dict[str, list[str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._enforced = self.profiles.of_resources() if self.enforce else {}

    def warm_up(self, *formats: RecordFormat) -> None:
        """Load what validating these formats needs (by default R4), so that the first record waits not.

        Raises:
            DefinitionUnusable: a profile cannot be used.
        """
        for record_format in formats or (RecordFormat.FHIR_R4_JSON,):
            if record_format in VERSIONS:
                self._engine(record_format)

    def validate(self, content: bytes, record_format: RecordFormat) -> Verdict:
        """Judge one record; see :meth:`Validator.validate`."""
        if record_format not in VERSIONS:
            dicom = record_format is RecordFormat.DICOM
            return _judged(examine(content, MediaType.DICOM if dicom else MediaType.OPAQUE))
        if fault := _garbage(content):
            return _judged([fault])
        report = self._report(content, record_format, native.MAX_ISSUES)
        verdict = Verdict(
            valid=report.valid, outcome=json.loads(report.outcome_json()), resource_type=report.resource_type
        )
        return self._settled(verdict, report, content)

    def is_valid(self, content: bytes, record_format: RecordFormat) -> bool:
        """Return the verdict alone, which is quicker where nobody reads the outcome."""
        if self.terminology is not None or record_format not in VERSIONS or _garbage(content):
            return self.validate(content, record_format).valid
        return self._report(content, record_format, 1).valid

    def validate_bundle(
        self, content: bytes, entries: Sequence[Entry], record_format: RecordFormat
    ) -> BundleVerdict:
        """Judge a bundle in one go, so that references between its entries are looked at, too.

        An issue belongs to the entry whose path it has. Those of no entry are the bundle's own.
        """
        most = native.MAX_ISSUES + _ISSUES_AN_ENTRY * len(entries)
        report = self._engine(record_format).validate(content, most)
        verdict = Verdict(
            valid=report.valid, outcome=json.loads(report.outcome_json()), resource_type="Bundle"
        )
        issues = self._settled(verdict, report, content).outcome["issue"]
        own, of_entries = _sorted_out(issues, len(entries))
        # Where not every issue was listed, silence says nothing.
        alone = report.truncated > 0 or bool(self._enforced)
        judged = [
            self._entry(entry, found, record_format, alone=alone)
            for entry, found in zip(entries, of_entries, strict=True)
        ]
        bundle = _from_issues(own, "Bundle")
        sound = bundle.valid and all(each is None or each.valid for each in judged)
        if sound and report.truncated and not report.valid:
            bundle = _judged([Issue(UNLISTED)])  # something is wrong between entries, and was not listed
        return BundleVerdict(bundle=bundle, entries=judged)

    def _entry(
        self, entry: Entry, found: list[dict[str, Any]], record_format: RecordFormat, *, alone: bool
    ) -> Verdict | None:
        if entry.resource is None:
            return None
        seen = _from_issues(found, None)
        return self.validate(entry.resource, record_format) if seen.valid and alone else seen

    def _report(self, content: bytes, record_format: RecordFormat, most: int) -> Report:
        engine = self._engine(record_format)
        report = engine.validate(content, most)
        required = self._enforced.get(report.resource_type or "")
        return engine.validate(content, most, required) if required else report

    def _settled(self, verdict: Verdict, report: Report, content: bytes) -> Verdict:
        if self.terminology is None:
            return verdict
        unchecked = native.unchecked(report)
        return settle(verdict, unchecked, content, self.terminology) if unchecked else verdict

    def _engine(self, record_format: RecordFormat) -> Engine:
        version = VERSIONS[record_format]
        found = self._engines.get(version)
        if found is None:
            # Two threads at once may both load a validator with profiles; either will do.
            found = self._engines[version] = native.engine(version, self.profiles)
        return found


def _garbage(content: bytes) -> Issue | None:
    return precheck(content[: sniffing.SNIFF_BYTES], MediaType.FHIR_JSON, len(content))


def _judged(issues: list[Issue]) -> Verdict:
    return Verdict(
        valid=not any(is_grave(issue.rule.severity) for issue in issues),
        outcome=outcome(issues),
        resource_type=None,
    )


def _from_issues(issues: list[dict[str, Any]], resource_type: str | None) -> Verdict:
    return Verdict(
        valid=not any(is_grave(issue["severity"]) for issue in issues),
        outcome=outcome_of(sorted(issues, key=lambda issue: not is_grave(issue["severity"]))),
        resource_type=resource_type,
        unanswered=sum(issue["code"] == UNANSWERED for issue in issues),
    )


def _sorted_out(
    issues: list[dict[str, Any]], entries: int
) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    own: list[dict[str, Any]] = []
    of_entries: list[list[dict[str, Any]]] = [[] for _ in range(entries)]
    for issue in issues:
        match = _OF_ENTRY.match((issue.get("expression") or [""])[0])
        number = int(match[1]) if match is not None else entries
        (of_entries[number] if number < entries else own).append(issue)
    return own, of_entries
