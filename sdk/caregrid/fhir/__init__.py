"""Validation of records against HL7's definitions of FHIR, and the splitting of bundles.

:func:`validate` is all that most programs need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caregrid.fhir.bundle import MAX_ENTRIES, Entry, bundle_entries, is_bundle, split_bundle
from caregrid.fhir.port import BundleVerdict, Validator, Verdict
from caregrid.fhir.profiles import Profiles
from caregrid.fhir.standalone import format_of_version, validate
from caregrid.fhir.terminology import Answer, Coding, Question, Terminology
from caregrid.fhir.validator import FhirValidator

if TYPE_CHECKING:
    from caregrid.fhir.terminology_server import TerminologyServer

__all__ = [
    "MAX_ENTRIES",
    "Answer",
    "BundleVerdict",
    "Coding",
    "Entry",
    "FhirValidator",
    "Profiles",
    "Question",
    "Terminology",
    "TerminologyServer",
    "Validator",
    "Verdict",
    "bundle_entries",
    "format_of_version",
    "is_bundle",
    "split_bundle",
    "validate",
]


def __getattr__(name: str) -> object:
    # Loaded on first use: validating needs no HTTP client, whose import takes longer than all else.
    if name == "TerminologyServer":
        from caregrid.fhir.terminology_server import TerminologyServer  # noqa: PLC0415 - see above

        return TerminologyServer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
