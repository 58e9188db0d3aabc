"""How many small resources are judged in a second."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from caregrid.fhir.validator import FhirValidator
from caregrid.records import RecordFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_BASE: Final = Path(__file__).parents[2] / "corpus" / "base" / "4.0"
_VALIDATOR: Final = FhirValidator()


def small() -> list[bytes]:
    """Return small resources of many kinds."""
    return [path.read_bytes() for path in sorted(_BASE.glob("*.json"))]


def outcome(content: bytes) -> bool:
    """Judge as the sidecar does, with the outcome."""
    return _VALIDATOR.validate(content, RecordFormat.FHIR_R4_JSON).valid


def verdict(content: bytes) -> bool:
    """Judge as the command does that prints valid or invalid."""
    return _VALIDATOR.is_valid(content, RecordFormat.FHIR_R4_JSON)


def rate(contents: Sequence[bytes], judge: Callable[[bytes], bool], threads: int, seconds: float) -> float:
    """Return how many resources so many threads judge in a second."""
    for content in contents:
        assert judge(content), "an official example is invalid"

    def run() -> int:
        done, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            for content in contents:
                judge(content)
            done += len(contents)
        return done

    begun = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        runs = [pool.submit(run) for _ in range(threads)]
        done = sum(one.result() for one in runs)
    return done / (time.perf_counter() - begun)
