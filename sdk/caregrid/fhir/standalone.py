"""Validation as a function: no chain, no network, nothing to set up."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from caregrid.errors import InputInvalid
from caregrid.fhir.port import VERSIONS, Verdict
from caregrid.fhir.profiles import Profiles
from caregrid.fhir.validator import FhirValidator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.fhir.terminology import Terminology
    from caregrid.records import RecordFormat

_FORMATS: Final = {version: record_format for record_format, version in VERSIONS.items()}


def format_of_version(version: str) -> RecordFormat:
    """Return the record format of a FHIR version.

    Raises:
        InputInvalid: it is none of "4.0", "4.3" and "5.0".
    """
    if version not in _FORMATS:
        raise InputInvalid(f"a FHIR version is one of {', '.join(_FORMATS)}")
    return _FORMATS[version]


def validate(
    content: bytes | str | Path,
    *,
    version: str = "4.0",
    profiles: Sequence[Path | bytes] = (),
    terminology: Terminology | None = None,
) -> Verdict:
    """Judge a FHIR resource in JSON, a Bundle included, and return the verdict with an OperationOutcome.

    The first call loads HL7's definitions of the version, which takes a tenth of a second. With profiles each
    call loads anew: make a :class:`FhirValidator` of your own for many resources.

    Args:
        content: the resource as UTF-8 bytes or text, or a file.
        version: of FHIR: "4.0", "4.3" or "5.0".
        profiles: StructureDefinitions, ValueSets and CodeSystems, as files or bytes. Resources of the kind
            that a profile is for must follow it, whether they claim to or not.
        terminology: is asked about codes that the definitions do not settle; by default nobody, and the
            outcome says "not checked".

    Raises:
        InputInvalid: there is no such version, or a profile cannot be used.
        OSError: a file cannot be read.
    """
    record_format = format_of_version(version)
    data = content.read_bytes() if isinstance(content, Path) else content
    encoded = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if not profiles and terminology is None:
        return _plain().validate(encoded, record_format)
    known = Profiles.parsed(one.read_bytes() if isinstance(one, Path) else one for one in profiles)
    validator = FhirValidator(profiles=known, enforce=True, terminology=terminology)
    return validator.validate(encoded, record_format)


@cache
def _plain() -> FhirValidator:
    return FhirValidator()
