"""Judges files for `emr validate`, and prints what comes of it."""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

from caregrid.content.sniffing import MAX_TEXT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from caregrid.fhir import FhirValidator, Verdict
    from caregrid.records import RecordFormat

_NDJSON: Final = (".ndjson", ".jsonl")
_LINE: Final = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line"
_COLUMN: Final = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-col"


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges what files hold."""

    validator: FhirValidator
    record_format: RecordFormat

    def is_valid(self, path: str) -> bool:
        """Return whether a file is valid, without asking why it is not.

        Raises:
            OSError: it cannot be read.
        """
        resources = 0
        for _, content in _resources(path):
            resources += 1
            if not self.validator.is_valid(content, self.record_format):
                return False
        return resources > 0

    def verdicts(self, path: str) -> Iterator[tuple[int, Verdict]]:
        """Yield a verdict for each resource of a file, with how many lines stand before it; at least one.

        Raises:
            OSError: it cannot be read.
        """
        resources = 0
        for before, content in _resources(path):
            resources += 1
            yield before, self.validator.validate(content, self.record_format)
        if not resources:
            yield 0, self.validator.validate(b"", self.record_format)


def paths_from(source: IO[bytes]) -> Iterator[str]:
    """Yield the paths in a stream, each as soon as its line is there."""
    for line in iter(source.readline, b""):
        if path := line.rstrip(b"\r\n"):
            yield os.fsdecode(path)


def print_word(judge: Judge, path: str) -> bool:
    """Print `PATH<TAB>valid|invalid`, at once; what cannot be read is invalid, standard error says why."""
    try:
        valid = judge.is_valid(path)
    except OSError as exc:
        valid = _unreadable(path, exc)
    _print(f"{path}\t{'valid' if valid else 'invalid'}")
    return valid


def print_outcome(judge: Judge, path: str) -> bool:
    """Print one OperationOutcome with the issues of all resources of a file, on one line."""
    issues: list[dict[str, Any]] = []
    valid = True
    try:
        for before, verdict in judge.verdicts(path):
            valid = valid and verdict.valid
            issues += [_moved(issue, before) for issue in verdict.outcome["issue"]]
    except OSError as exc:
        valid = _unreadable(path, exc)
        issues = [{"severity": "fatal", "code": "not-found", "details": {"text": "it cannot be read"}}]
    _print(json.dumps({"resourceType": "OperationOutcome", "issue": issues}, separators=(",", ":")))
    return valid


def print_report(judge: Judge, path: str) -> bool:
    """Print a file's verdict and, below it, a line for each issue."""
    valid, lines = True, list[str]()
    try:
        for before, verdict in judge.verdicts(path):
            valid = valid and verdict.valid
            lines += [_line(_moved(issue, before)) for issue in verdict.outcome["issue"]]
    except OSError as exc:
        valid = _unreadable(path, exc)
    _print("\n".join([f"{path}: {'valid' if valid else 'invalid'}", *lines]))
    return valid


def _resources(path: str) -> Iterator[tuple[int, bytes]]:
    # Longer than any resource may be: the validator sees so, and says so.
    most = MAX_TEXT_BYTES + 1
    with open(path, "rb", opener=_open) as file:
        if not path.endswith(_NDJSON):
            yield 0, file.read(most)
            return
        for before, line in enumerate(iter(lambda: file.readline(most), b"")):
            if line.strip():
                yield before, line


def _open(path: str, flags: int) -> int:
    # A pipe or a terminal would be waited for, for ever.
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("it is no file")
    return descriptor


def _unreadable(path: str, exc: OSError) -> bool:
    print(f"caregrid: cannot read {_shown(path)}: {exc.strerror or exc}", file=sys.stderr, flush=True)  # noqa: T201
    return False


def _print(text: str) -> None:
    # Paths go out as the bytes that they came in as, whatever the terminal's encoding.
    sys.stdout.buffer.write(os.fsencode(text) + b"\n")
    sys.stdout.buffer.flush()


def _shown(path: str) -> str:
    return path.encode("utf-8", "replace").decode()


def _moved(issue: dict[str, Any], lines: int) -> dict[str, Any]:
    if not lines:
        return issue
    extensions = [
        {**each, "valueInteger": each["valueInteger"] + lines} if each["url"] == _LINE else each
        for each in issue.get("extension", [])
    ]
    return {**issue, **({"extension": extensions} if extensions else {})}


def _line(issue: dict[str, Any]) -> str:
    at = {each["url"]: each.get("valueInteger") for each in issue.get("extension", [])}
    place = f"{at[_LINE]}:{at.get(_COLUMN, 1)}" if _LINE in at else "-"
    where = (issue.get("expression") or ["-"])[0]
    return f"  {issue['severity']}  {place}  {where}  {issue['details']['text']}"
