"""`caregrid emr validate`, as scripts and people use it: exit codes, words, outcomes, and its speed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

PROGRAM = (str(Path(sys.executable).with_name("caregrid")), "emr", "validate")
VALID: dict[str, Any] = {"resourceType": "Patient", "active": True, "gender": "female"}
INVALID: dict[str, Any] = {"resourceType": "Patient", "active": "yes", "qxzjw": "qxzjw"}
LINE = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line"

#: Goal 0.3 s on an idle machine; tests run beside each other, so the time of this process's own CPU counts.
START_UP_CPU_S = 0.45


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a file of each kind."""
    (tmp_path / "valid.json").write_text(json.dumps(VALID))
    (tmp_path / "invalid.json").write_text(json.dumps(INVALID))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "empty.ndjson").touch()
    (tmp_path / "good.ndjson").write_text(f"{json.dumps(VALID)}\n\n{json.dumps(VALID)}")
    (tmp_path / "bad.ndjson").write_text(f"{json.dumps(VALID)}\n{json.dumps(INVALID)}\n")
    return tmp_path


def run(*words: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run the command."""
    return subprocess.run([*PROGRAM, *words], input=given, capture_output=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["valid.json"], 0),
        (["good.ndjson", "valid.json"], 0),
        (["invalid.json"], 1),
        (["valid.json", "invalid.json", "valid.json"], 1),
        (["broken.json"], 1),
        (["bad.ndjson"], 1),
        (["empty.ndjson"], 1),
        (["missing.json"], 1),
    ],
)
def test_exit_code_says_whether_all_are_valid(files: Path, names: list[str], code: int) -> None:
    """0 if all are, 1 if one is not, whatever it is that makes it so."""
    assert code == run(*(files / name for name in names)).returncode


@pytest.mark.parametrize(
    "words",
    [[], ["--fhir", "3.0", "x"], ["--bogus"], ["-", "x"], ["--profile", "/nowhere", "x"]],
)
def test_wrong_command_line_is_told(words: list[str]) -> None:
    """Exit code 2, and how it is done, on standard error."""
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"usage: caregrid emr validate" in done.stderr


def test_paths_from_standard_input_are_answered_in_order(files: Path) -> None:
    """A line for each path, as it was given, whatever is behind it; reasons go to standard error."""
    names = ["valid.json", "invalid.json", "missing.json", ".", "good.ndjson", "bad.ndjson"]
    paths = [str(files / name).encode() for name in names] + [os.fsencode(files) + b"/\xff.json"]
    done = run("-", given=b"\n".join(paths) + b"\n\n")
    words = [b"valid", b"invalid", b"invalid", b"invalid", b"valid", b"invalid", b"invalid"]
    assert [path + b"\t" + word for path, word in zip(paths, words, strict=True)] == done.stdout.splitlines()
    assert done.stderr.count(b"cannot read") == 3
    assert done.returncode == 1


def test_each_answer_comes_at_once(files: Path) -> None:
    """A program that talks to it need not close its end to hear an answer."""
    with subprocess.Popen([*PROGRAM, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as talk:
        assert talk.stdin is not None
        assert talk.stdout is not None
        for name, word in (("valid.json", "valid"), ("invalid.json", "invalid")):
            talk.stdin.write(f"{files / name}\n".encode())
            talk.stdin.flush()
            assert f"{files / name}\t{word}\n".encode() == talk.stdout.readline()
        talk.stdin.close()
    assert talk.returncode == 1


def test_report_says_where_and_what(files: Path) -> None:
    """A person reads file, severity, line and column, path and words; nothing of the record is quoted."""
    done = run(files / "valid.json", files / "bad.ndjson")
    lines = done.stdout.decode().splitlines()
    assert lines[0] == f"{files / 'valid.json'}: valid"
    assert any(line.startswith("  error  2:") and "Patient.active" in line for line in lines)
    assert "qxzjw" not in done.stdout.decode()


def test_outcomes_are_one_a_line(files: Path) -> None:
    """With --json there is an OperationOutcome for each file, whose lines are those of the file."""
    done = run("--json", files / "valid.json", files / "bad.ndjson", files / "missing.json")
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["OperationOutcome"] * 3 == [one["resourceType"] for one in outcomes]
    grave = [[issue for issue in one["issue"] if issue["severity"] in {"error", "fatal"}] for one in outcomes]
    assert [bool(one) for one in grave] == [False, True, True]
    (place,) = {each["valueInteger"] for each in grave[1][0]["extension"] if each["url"] == LINE}
    assert place == 2


def test_version_is_chosen(files: Path) -> None:
    """What is new in R5 is valid there only."""
    new = files / "new.json"
    reference = {"display": "x"}
    new.write_text(
        json.dumps(
            {
                "resourceType": "Transport",
                "intent": "order",
                "requestedLocation": reference,
                "currentLocation": reference,
            }
        )
    )
    assert [1, 1, 0] == [run("--fhir", version, new).returncode for version in ("4.0", "4.3", "5.0")]


def test_profile_is_applied(files: Path) -> None:
    """Resources of a profile's kind must follow it; one that is no profile ends the program."""
    profile = files / "profile.json"
    definition = {
        "resourceType": "StructureDefinition",
        "url": "http://example.org/StructureDefinition/named",
        "name": "Named",
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": "Patient",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
        "derivation": "constraint",
        "differential": {"element": [{"id": "Patient.name", "path": "Patient.name", "min": 1}]},
    }
    profile.write_text(json.dumps(definition))
    assert run("--profile", profile, files / "valid.json").returncode == 1
    done = run("--profile", files / "valid.json", files / "valid.json")
    assert done.returncode > 2
    assert done.stderr.startswith(b"caregrid: ")


def test_start_up_is_quick(files: Path) -> None:
    """From nothing to the first verdict, definitions included, in a fraction of a second of CPU."""
    before = os.times()
    run(files / "valid.json")
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    assert used < START_UP_CPU_S


def test_many_files_are_quick(files: Path) -> None:
    """A thousand small files take a moment, start included, though the machine does other things."""
    began = time.monotonic()
    done = run("-", given=f"{files / 'valid.json'}\n".encode() * 1000)
    assert done.stdout.count(b"\tvalid\n") == 1000
    assert time.monotonic() - began < 5
