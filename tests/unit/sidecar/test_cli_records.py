"""`emr submit` and `emr status`: what content is told to be, what is printed, how they end."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from caregrid.content import MediaType
from caregrid.errors import InputInvalid
from caregrid.records import RecordFormat
from caregrid.statuses import ItemStatus, SubmissionStatus
from ocw_sidecar.cli import options, records

if TYPE_CHECKING:
    from pathlib import Path

PATIENT = bytes(32)
ORIGINAL = b"o" * 16
CDA = b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>'


class Client:
    """Takes submissions without a sidecar, and says what it is told to."""

    sidecar = None

    def __init__(self, *states: str) -> None:
        self.states = states
        self.given: dict[str, Any] = {}

    async def submit(self, _file: Path, **given: Any) -> SubmissionStatus:
        """Take one."""
        self.given = given
        items = [
            ItemStatus(
                record_id=bytes([number]) * 16,
                ordinal=number,
                state=state,
                object_id=None,
                block=None,
                outcome=None,
                reason=None,
                original=ORIGINAL if state == "duplicate" else None,
            )
            for number, state in enumerate(self.states)
        ]
        return SubmissionStatus(submission_id=bytes(16), state="validated", settled=True, items=items)


def submit(monkeypatch: pytest.MonkeyPatch, client: Client, file: Path, *arguments: str) -> tuple[int, Any]:
    """Run the command with a client; return exit code and what was printed."""
    monkeypatch.setattr(options, "with_client", lambda _profile, work: asyncio.run(work(client)))
    command = ["submit", str(file), "--patient", PATIENT.hex(), "--json", *arguments]
    done = CliRunner().invoke(records.app, command)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, json.loads(done.stdout)


@pytest.mark.parametrize(
    ("states", "code"),
    [
        (["confirmed", "duplicate"], 0),
        (["duplicate"], 0),
        (["duplicate", "rejected"], 64),
        (["duplicate", "failed"], 1),
        ([], 1),
    ],
)
def test_a_duplicate_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, states: list[str], code: int
) -> None:
    """It is counted by itself, and names the record that is there."""
    file = tmp_path / "a.json"
    file.write_text("{}")
    exit_code, printed = submit(monkeypatch, Client(*states), file)
    assert (code, states.count("duplicate")) == (exit_code, printed["duplicate"])
    named = [record["duplicates"] for record in printed["records"] if "duplicates" in record]
    assert [ORIGINAL.hex()] * states.count("duplicate") == named


@pytest.mark.parametrize(
    ("name", "content", "declared", "expected"),
    [
        ("a.json", b"{}", [], (RecordFormat.FHIR_R4_JSON, None)),
        ("a.json", b"{}", ["--format", "fhir-r5"], (RecordFormat.FHIR_R5_JSON, None)),
        ("a.xml", CDA, [], (RecordFormat.BINARY, MediaType.CDA)),
        ("a.xml", b"<html/>", [], (RecordFormat.BINARY, None)),
        ("a.xml", CDA, ["--format", "binary"], (RecordFormat.BINARY, None)),
        ("a.hl7", b"MSH|^~\\&|", [], (RecordFormat.BINARY, MediaType.HL7_V2)),
        ("a.txt", b"x", ["--format", "hl7v2"], (RecordFormat.BINARY, MediaType.HL7_V2)),
        ("a", bytes(128) + b"DICM", [], (RecordFormat.DICOM, None)),
        ("a.gz", b"\x1f\x8b", [], (RecordFormat.BINARY, None)),
    ],
)
def test_kinds_are_told_apart(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: bytes,
    *,
    declared: list[str],
    expected: tuple[RecordFormat, MediaType | None],
) -> None:
    """By what they are declared as, else by their name and first bytes."""
    (tmp_path / name).write_bytes(content)
    client = Client("confirmed")
    assert 0 == submit(monkeypatch, client, tmp_path / name, *declared)[0]
    assert expected == (client.given["format"], client.given["media_type"])


def test_no_other_format_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message lists those that are."""
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(InputInvalid, match="cda, hl7v2"):
        submit(monkeypatch, Client(), tmp_path / "a", "--format", "pdf")
