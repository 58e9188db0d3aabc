"""HL7's definitions of FHIR, compiled: one file for each version, in the form that `caregrid_native` loads.

The files are made by `scripts/make-definitions`; README.md beside them names their sources and their licence.
:mod:`caregrid.fhir.definitions.compiling` brings a user's own profiles into the same form.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

#: Version of the form; `native/schema/src/form.rs` describes it.
FORM: Final = 1

#: FHIR's own versions by the name under which they are chosen.
VERSIONS: Final = {"4.0": "4.0.1", "4.3": "4.3.0", "5.0": "5.0.0"}


def path(version: str) -> Path:
    """Return where the definitions of a version ("4.0", "4.3" or "5.0") lie."""
    if version not in VERSIONS:
        raise KeyError(f"no FHIR version {version!r}; there are {', '.join(VERSIONS)}")
    return Path(__file__).with_name(f"fhir-{version}.json.gz")


def packed(version: str) -> bytes:
    """Return the definitions of a version ("4.0", "4.3" or "5.0") as the native module takes them."""
    return path(version).read_bytes()
