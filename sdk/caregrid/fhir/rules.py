"""Every rule the first-level validator knows, and the only texts it ever says.

A rule has a stable name, an issue type of FHIR's code system `issue-type`, and a text. Numbers of places
(line, column, position) are all that is ever filled into a text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

RULE_SYSTEM: Final = "urn:caregrid:fhir-rule"

#: An outcome names at most this many issues; nobody reads more, and a hostile record could cause millions.
MAX_ISSUES: Final = 100


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong."""

    name: str
    code: str  #: FHIR issue type
    text: str  #: may have places `{0}`, `{1}` for numbers


@dataclass(frozen=True, slots=True)
class Issue:
    """A rule broken at a place."""

    rule: Rule
    expression: str | None = None  #: FHIRPath-like, made of specified element names and indexes only
    numbers: tuple[int, ...] = ()


EMPTY: Final = Rule("empty", "required", "the content is empty")
TOO_LARGE: Final = Rule("too-large", "too-long", "the content is larger than the {0} bytes that are examined")
NOT_UTF8: Final = Rule("utf-8", "invalid", "the content is not UTF-8: the byte at offset {0} does not fit")
NOT_JSON: Final = Rule("json", "structure", "the content is not JSON: the fault is at line {0}, column {1}")
NOT_A_NUMBER: Final = Rule("json-nan", "value", "NaN and Infinity are not JSON numbers")
LONG_NUMBER: Final = Rule("json-long-number", "too-long", "a number has more than {0} characters")
TOO_DEEP: Final = Rule("json-depth", "too-costly", "objects are nested more than {0} deep")
REPEATED_KEY: Final = Rule("json-repeated-property", "structure", "this object has a property more than once")

NOT_A_RESOURCE: Final = Rule("resource", "structure", "a FHIR resource is a JSON object")
NO_TYPE: Final = Rule("resource-type", "required", "`resourceType` is missing or is not a string")
UNKNOWN_TYPE: Final = Rule(
    "resource-type-unknown", "value", "`resourceType` does not name a resource of this FHIR release"
)
UNSUPPORTED_TYPE: Final = Rule(
    "resource-type-unsupported", "not-supported", "this kind of resource cannot be validated here"
)

UNKNOWN_PROPERTY: Final = Rule("property", "structure", "property number {0} of this object is not defined")
EMPTY_VALUE: Final = Rule("empty-value", "structure", "an object, array or string must not be empty")
ONLY_AN_ID: Final = Rule("ele-1", "invariant", "an element must have a value or children besides its id")
NULL: Final = Rule(
    "null", "structure", "null may only stand in an array of primitives, for a value that is absent"
)
LONELY_NULL: Final = Rule(
    "null-alone", "structure", "null must stand beside an extension in the array with `_`"
)
NOT_AN_OBJECT: Final = Rule("object", "structure", "must be a JSON object")
NOT_AN_ARRAY: Final = Rule("array", "structure", "must be a JSON array")
NOT_REPEATED: Final = Rule("no-array", "structure", "must not be a JSON array: this element does not repeat")
MISSING: Final = Rule("cardinality", "required", "this element is required")
CHOICE_MISSING: Final = Rule("choice-missing", "required", "one of the types of this element is required")
CHOICE_REPEATED: Final = Rule("choice", "invariant", "only one of the types of this element may be present")

NOT_A_STRING: Final = Rule("json-string", "value", "must be a JSON string")
NOT_NUMERIC: Final = Rule("json-number", "value", "must be a JSON number")
NOT_AN_INTEGER: Final = Rule("json-integer", "value", "must be a JSON number without fraction or exponent")
NOT_A_BOOLEAN: Final = Rule("json-boolean", "value", "must be true or false")
NOT_UNICODE: Final = Rule("unicode", "value", "has half of a surrogate pair, which is not a character")
LONG_STRING: Final = Rule("string-length", "too-long", "has more than {0} characters")
CODE_NOT_BOUND: Final = Rule(
    "binding", "code-invalid", "is not a code of the value set that FHIR requires here"
)
NOT_CONFORMING: Final = Rule("model", "invalid", "does not conform to the definition of this element")
MODEL_FAILED: Final = Rule("model-failed", "exception", "the resource could not be examined to its end")

NOT_DICOM: Final = Rule("dicom", "structure", "a DICOM file has `DICM` at byte 128")

ALL_OK: Final = Rule("all-ok", "informational", "no fault found")


def lexical(primitive: str) -> Rule:
    """Return the rule on the written form of a FHIR primitive type."""
    return Rule(f"type-{primitive}", "value", f"is not a valid FHIR {primitive}")


def outcome(issues: list[Issue]) -> dict[str, Any]:
    """Return a FHIR OperationOutcome of errors, or one that says that there are none."""
    found = issues[:MAX_ISSUES]
    return {
        "resourceType": "OperationOutcome",
        "issue": [_issue(each, "error") for each in found] or [_issue(Issue(ALL_OK), "information")],
    }


def _issue(issue: Issue, severity: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "severity": severity,
        "code": issue.rule.code,
        "details": {"coding": [{"system": RULE_SYSTEM, "code": issue.rule.name}]},
        "diagnostics": issue.rule.text.format(*issue.numbers),
    }
    if issue.expression is not None:
        entry["expression"] = [issue.expression]
    return entry
