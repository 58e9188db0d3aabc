"""`caregrid emr submit|status|get|show`: hand in, read and look up records."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caregrid import errors
from caregrid.client import SETTLE_TIMEOUT_S, require_content
from caregrid.content import SNIFF_BYTES, MediaType, sniff
from caregrid.keys import encode_account
from caregrid.records import RecordFormat
from ocw_sidecar.cli import options, output

if TYPE_CHECKING:
    from caregrid.client import EmrClient
    from caregrid.intake import SidecarClient, SubmissionStatus

app = typer.Typer()

#: How often a waiting command looks how far the sidecar has come.
_LOOK_S: Final = 2
_FINAL: Final = frozenset({"confirmed", "rejected", "duplicate", "failed"})
_FORMATS: Final = {
    "fhir-r4": RecordFormat.FHIR_R4_JSON,
    "fhir-r4b": RecordFormat.FHIR_R4B_JSON,
    "fhir-r5": RecordFormat.FHIR_R5_JSON,
    "dicom": RecordFormat.DICOM,
    "cda": RecordFormat.BINARY,
    "hl7v2": RecordFormat.BINARY,
    "binary": RecordFormat.BINARY,
}
_MEDIA_TYPES: Final = {"cda": MediaType.CDA, "hl7v2": MediaType.HL7_V2}
_SNIFFED: Final = {MediaType.DICOM: "dicom", MediaType.CDA: "cda", MediaType.HL7_V2: "hl7v2"}


@app.command()
def submit(
    file: Annotated[Path, typer.Argument(help="A FHIR resource or Bundle in JSON, or any other file.")],
    patient: Annotated[
        str | None,
        typer.Option(help="The patient's id, 64 hex digits; without it a new patient is registered."),
    ] = None,
    record_format: Annotated[
        str | None,
        typer.Option("--format", help=f"One of {', '.join(_FORMATS)}; by default told from the file."),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(help="How long to wait until it is settled, in seconds; it is safe after that, too."),
    ] = SETTLE_TIMEOUT_S,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Submit a file and wait until each of its records is final on the chain, or refused.

    A record that says the same as one that is there is not stored again; `duplicates` names that one.
    """
    require_content(file)
    chosen = _format(record_format, file)
    known = None if patient is None else options.patient_id(patient)

    async def work(client: EmrClient) -> tuple[bytes, SubmissionStatus]:
        patient_id = known or await client.register_patient()
        return patient_id, await _submitted(client, file, patient_id, chosen, timeout)

    patient_id, found = options.with_client(profile, work)
    output.result({"patient": patient_id.hex(), **_described(found)}, as_json=as_json)
    raise typer.Exit(_exit_code(found))


async def _submitted(
    client: EmrClient, file: Path, patient_id: bytes, name: str, timeout_s: float
) -> SubmissionStatus:
    record_format, media_type = _FORMATS[name], _MEDIA_TYPES.get(name)
    if client.sidecar is None:
        return await client.submit(file, patient_id=patient_id, format=record_format, media_type=media_type)
    key = uuid.uuid4().hex
    submission = await client.hand_over(
        client.sidecar,
        file,
        patient_id=patient_id,
        format=record_format,
        media_type=media_type,
        idempotency_key=key,
    )
    return await _settled(client.sidecar, submission, timeout_s)


async def _settled(sidecar: SidecarClient, submission: bytes, timeout_s: float) -> SubmissionStatus:
    with output.progress_bar("anchoring") as show:

        def heard(found: SubmissionStatus) -> None:
            final = [item for item in found.items if item.state in _FINAL]
            show(len(final), max(len(found.items), 1))

        try:
            return await sidecar.wait(submission, timeout_s=timeout_s, poll_s=_LOOK_S, progress=heard)
        except errors.NotYetAnchored as late:
            raise errors.NotYetAnchored(
                f"accepted and safe, but not final yet{await _why(sidecar)}; "
                f"ask again: caregrid emr status {submission.hex()}",
                submission=submission.hex(),
            ) from late


async def _why(sidecar: SidecarClient) -> str:
    retrying = (await sidecar.ready()).get("retrying", [])
    named = [f"{each['stage']} ({each['reason']})" for each in retrying]
    return f", the sidecar is retrying: {', '.join(named)}" if named else ""


@app.command()
def status(
    submission: Annotated[str, typer.Argument(metavar="SUBMISSION", help="As `emr submit` printed it.")],
    timeout: Annotated[float, typer.Option(help="How long to wait until it is settled, in seconds.")] = 0.0,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Say how far a submission has come."""
    submission_id = options.record_id(submission)

    async def work(client: EmrClient) -> SubmissionStatus:
        if client.sidecar is None:
            raise errors.ConfigInvalid("this profile names no sidecar, and only a sidecar keeps submissions")
        if timeout > 0:
            return await _settled(client.sidecar, submission_id, timeout)
        return await client.sidecar.status(submission_id)

    found = options.with_client(profile, work)
    output.result({**_described(found), "settled": found.settled}, as_json=as_json)
    raise typer.Exit(_exit_code(found) if found.settled else 0)


@app.command()
def get(
    record: options.RecordArgument,
    out: Annotated[Path | None, typer.Option(help="The file to write; by default standard output.")] = None,
    sealed: Annotated[
        bool,
        typer.Option("--sealed", help="Leave it sealed, for any Tink: needs --out and no right to read."),
    ] = False,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Read a record: fetch it, check it against the chain, decrypt it."""
    record_id = options.record_id(record)
    if out is None:
        if sealed:
            raise errors.InputInvalid("sealed bytes go into a file; name it with --out")
        content = options.with_client(profile, lambda client: client.get(record_id))
        sys.stdout.buffer.write(content)
        return
    if not out.parent.is_dir():
        raise errors.InputMissing(f"there is no folder {out.parent}; make it first")
    with output.progress_bar("reading") as show:

        async def fetch(client: EmrClient) -> int:
            download = client.download_sealed if sealed else client.download
            return await download(record_id, out, progress=show)

        size = options.with_client(profile, fetch)
    output.result({"record": record, "bytes": size, "file": str(out)}, as_json=as_json)


@app.command()
def show(
    record: options.RecordArgument,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Say what the chain knows of a record; no right to read it is needed."""
    record_id = options.record_id(record)

    async def work(client: EmrClient) -> dict[str, Any]:
        found = await client.record(record_id)
        stored = await client.chain.stored_object(found.object_id)
        return {
            "record": record_id.hex(),
            "patient": found.patient_id.hex(),
            "object": found.object_id.hex(),
            "offset": found.offset,
            "length": found.length,
            "sha256": found.digest.hex(),
            "format": found.format.name.lower().replace("_", "-"),
            "anchored_at": found.anchored_at,
            "custodian": None if stored is None else encode_account(stored.custodian),
            "manifest_root": None if stored is None else stored.entry.manifest_root.hex(),
        }

    output.result(options.with_client(profile, work), as_json=as_json)


def _format(name: str | None, file: Path) -> str:
    if name is not None:
        if name not in _FORMATS:
            raise errors.InputInvalid(f"a format is one of {', '.join(_FORMATS)}")
        return name
    if file.suffix.lower() == ".json":
        return "fhir-r4"
    with file.open("rb") as head:
        return _SNIFFED.get(sniff(head.read(SNIFF_BYTES)), "binary")


def _described(status: SubmissionStatus) -> dict[str, Any]:
    items = [
        {
            "record": item.record_id.hex(),
            "state": item.state,
            "object": None if item.object_id is None else item.object_id.hex(),
            "block": item.block,
            **({} if item.original is None else {"duplicates": item.original.hex()}),
            **({} if item.outcome is None else {"outcome": item.outcome}),
            **({} if item.reason is None else {"reason": item.reason}),
        }
        for item in status.items
    ]
    return {
        "submission": status.submission_id.hex(),
        "confirmed": len(status.of_state("confirmed")),
        "rejected": len(status.of_state("rejected")),
        "duplicate": len(status.of_state("duplicate")),
        "failed": len(status.of_state("failed")),
        **({} if status.reason is None else {"reason": status.reason}),
        "records": items,
    }


def _exit_code(status: SubmissionStatus) -> int:
    """0: all is on the chain, duplicates by their originals; 64: some were refused; 1: some failed."""
    if status.of_state("failed") or not status.items:
        return 1
    return errors.ValidationFailed.exit_code if status.of_state("rejected") else 0
