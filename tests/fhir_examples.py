"""HL7's official examples, as `scripts/test` fetches them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# What lies beside the examples in HL7's packages.
_NO_RESOURCES = frozenset({"package.json", ".index.json"})


def fhir_examples(version: str) -> dict[str, bytes]:
    """Return the examples of a FHIR version ("4.0", "4.3" or "5.0") by name, in the order of their names."""
    folder = os.environ.get("CAREGRID_FHIR_EXAMPLES")
    if folder is None:
        pytest.fail("CAREGRID_FHIR_EXAMPLES does not name HL7's examples; run `scripts/test`")
    files = sorted(path for path in (Path(folder) / version).glob("*.json") if path.name not in _NO_RESOURCES)
    return {path.stem: path.read_bytes() for path in files}
