"""What a process costs that has nothing loaded."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Final

from tests.bench.validation.bundles import SIZES, bundle

_RUNS: Final = 5
_FIRST: Final = """
import sys
from pathlib import Path
from caregrid.fhir.validator import FhirValidator
from caregrid.records import RecordFormat
content = sys.stdin.buffer.read()
FhirValidator().is_valid(content, RecordFormat[sys.argv[1]])
status = Path("/proc/self/status").read_text()
print(status.partition("VmHWM:")[2].split()[0])
"""
_NAMES: Final = {"4.0": "FHIR_R4_JSON", "4.3": "FHIR_R4B_JSON", "5.0": "FHIR_R5_JSON"}


@dataclass(frozen=True, slots=True)
class Run:
    """One process."""

    seconds: float  #: from its start to its end
    peak_bytes: int


def first_verdict(version: str) -> Run:
    """Return the quickest of some processes that judge one resource."""
    runs = [_run(b'{"resourceType": "Patient"}', version) for _ in range(_RUNS)]
    return min(runs, key=lambda run: run.seconds)


def large_bundle() -> Run:
    """Return the process that judges the largest Bundle."""
    return _run(bundle(SIZES[-1]), "4.0")


def _run(content: bytes, version: str) -> Run:
    begun = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-c", _FIRST, _NAMES[version]], input=content, capture_output=True, check=True
    )
    return Run(time.perf_counter() - begun, int(ended.stdout) * 1024)
