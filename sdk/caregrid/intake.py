"""The managed way in: a hospital's own sidecar takes content over its API, then keeps it sealed."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import TYPE_CHECKING, Any, Final

from caregrid import errors
from caregrid.erasures import ErasureClient
from caregrid.feed import FeedReader
from caregrid.preferences import PreferenceKeeper
from caregrid.records import PATIENT_ID_LEN, RecordFormat
from caregrid.reseals import ResealClient
from caregrid.statuses import (
    BatchAnswer,
    BatchItem,
    FoundRecord,
    FoundSubmission,
    ItemStatus,
    KeyRelease,
    SubmissionStatus,
    found_record,
    found_submission,
    key_release,
    submission_status,
)
from caregrid.threat_sharing import ThreatSharing
from caregrid.transport import Transport, fault_of, limited, parsed, raise_for_fault

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import aiohttp

    from caregrid.content import MediaType
    from caregrid.keys import Identity

__all__ = ["BatchAnswer", "BatchItem", "ItemStatus", "SidecarClient", "SubmissionStatus"]

#: One long poll; the sidecar answers sooner when there is news.
POLL_S: Final = 25

#: Resources in one request; a sidecar takes at least so many lines and bytes, signed or not.
BATCH_LINES: Final = 1_000
BATCH_BYTES: Final = 4 * 1024 * 1024

_PAGE: Final = 256
_NDJSON: Final = "application/x-ndjson"
_CONTENT_TYPES: Final = {
    RecordFormat.FHIR_R4_JSON: "application/fhir+json; fhirVersion=4.0",
    RecordFormat.FHIR_R4B_JSON: "application/fhir+json; fhirVersion=4.3",
    RecordFormat.FHIR_R5_JSON: "application/fhir+json; fhirVersion=5.0",
    RecordFormat.DICOM: "application/dicom",
    RecordFormat.BINARY: "application/octet-stream",
}


class SidecarClient(FeedReader, PreferenceKeeper, ErasureClient, ResealClient, ThreatSharing):
    """A sidecar's API, used with one bearer token or signed by one account. Constructing does no I/O."""

    def __init__(self, url: str, token: str | None = None, *, identity: Identity | None = None) -> None:
        self.transport = Transport(url, token, identity=identity)

    async def submit(
        self,
        content: bytes | Path,
        *,
        patient_id: bytes,
        format: RecordFormat,  # noqa: A002 - the field's name
        media_type: MediaType | None = None,
        idempotency_key: str | None = None,
    ) -> bytes:
        """Hand content over and return the submission's 16-byte id once it is durable.

        Args:
            content: the bytes, or a file.
            patient_id: whose it is.
            format: as the chain has it.
            media_type: what BINARY content is, where it is to be examined: CDA or HL7_V2.
            idempotency_key: sending the same key again returns the same submission.

        Raises:
            SidecarUnreachable: no answer; with an idempotency key it is safe to send again.
            ValidationFailed: the content does not begin as content of its type does.
            InputInvalid: content of this format has no such media type.
            InputEmpty, InputTooLarge, QueueFull, DiskLow, RateLimited, Unauthorised: as the sidecar says.
        """
        headers = {"X-CareGrid-Patient": patient_id.hex(), "Content-Type": _content_type(format, media_type)}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        answer = await self.transport.json("POST", "/v1/submissions", headers=headers, content=content)
        return bytes.fromhex(answer["submission"])

    async def submit_many(self, items: Iterable[BatchItem]) -> AsyncGenerator[BatchAnswer, None]:
        """Hand many FHIR R4 resources over; yield what became of each, in order, once it is durable.

        A refused resource stops no other.

        Raises:
            SidecarUnreachable: it stopped answering; what was yielded is durable, the rest may be. With a key
                in each item it is safe to send all again.
        """
        start = 0
        for lines in _batches(items):
            async for answer in self._batch(lines):
                yield _answer(start, answer)
            start += len(lines)

    async def _batch(self, lines: list[bytes]) -> AsyncGenerator[dict[str, Any], None]:
        headers, content = {"Content-Type": _NDJSON}, b"".join(lines)
        answered = 0
        async with self.transport.request(
            "POST", "/v1/batches", headers=headers, content=content
        ) as response:
            await raise_for_fault(response)
            async for line in response.content:
                answered += 1
                yield parsed(line)
        if answered != len(lines):
            raise errors.SidecarUnreachable("the sidecar stopped answering in the middle of a batch")

    async def status(self, submission_id: bytes, *, wait_s: int = 0) -> SubmissionStatus:
        """Return how far a submission has come, at once or when it is settled, whichever is later."""
        path = f"/v1/submissions/{submission_id.hex()}"
        return submission_status(await self.transport.json("GET", path, query={"wait": wait_s}))

    async def wait(
        self,
        submission_id: bytes,
        *,
        timeout_s: float,
        poll_s: int = POLL_S,
        progress: Callable[[SubmissionStatus], None] | None = None,
    ) -> SubmissionStatus:
        """Return a submission's status once it is settled; `progress` hears of it after each poll before.

        Raises:
            NotYetAnchored: it was not settled in time; it is safe in the sidecar's queue.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not (status := await self.status(submission_id, wait_s=poll_s)).settled:
                    if progress is not None:
                        progress(status)
                return status
        except TimeoutError:
            raise errors.NotYetAnchored(submission=submission_id.hex()) from None

    async def find_records(
        self,
        *,
        patient_id: bytes | None = None,
        state: str | None = None,
        since: int | None = None,
        until: int | None = None,
    ) -> AsyncGenerator[FoundRecord, None]:
        """Yield the sidecar's records, the newest first.

        Args:
            patient_id: of this patient only.
            state: in this state only.
            since: sealed at this time or later, in milliseconds since 1970.
            until: sealed before this time.
        """
        query = _query(patient=patient_id, state=state, since=since, until=until)
        async for item in self._listed("/v1/records", "records", "before", query):
            yield found_record(item)

    async def find_submissions(
        self,
        *,
        patient_id: bytes | None = None,
        state: str | None = None,
        since: int | None = None,
        until: int | None = None,
    ) -> AsyncGenerator[FoundSubmission, None]:
        """Yield the sidecar's submissions, the newest first; arguments as of `find_records`."""
        query = _query(patient=patient_id, state=state, since=since, until=until)
        async for item in self._listed("/v1/submissions", "submissions", "before", query):
            yield found_submission(item)

    async def patients(self) -> AsyncGenerator[bytes, None]:
        """Yield the patients that were registered through the sidecar or named by a submission."""
        async for patient in self._listed("/v1/patients", "patients", "after", {}):
            yield bytes.fromhex(patient)

    async def register_patient(
        self, *, patient_id: bytes | None = None, controller: bytes | None = None, timeout_s: float
    ) -> bytes:
        """Have the sidecar register a patient, and return his id once that is final.

        Args:
            patient_id: a random id; drawn here by default. Asking again with the same one is safe.
            controller: the patient's account, if he has one.
            timeout_s: how long to wait.

        Raises:
            NotYetAnchored: it is durable in the sidecar, but not final yet; ask again.
            CallRejected: the chain refuses it.
        """
        patient_id = patient_id or secrets.token_bytes(PATIENT_ID_LEN)
        body = {"patient": patient_id.hex()} | (
            {} if controller is None else {"controller": controller.hex()}
        )
        await self.transport.json("POST", "/v1/patients", body=body)
        try:
            async with asyncio.timeout(timeout_s):
                while (found := await self._registration(patient_id))["state"] == "pending":
                    pass
        except TimeoutError:
            raise errors.NotYetAnchored from None
        if found["state"] != "registered":
            raise errors.CallRejected(pallet="Emr", name="register_patient", docs=found.get("reason", ""))
        return patient_id

    async def release_key(
        self, record_id: bytes, *, account: bytes | None = None, public_key: bytes | None = None
    ) -> bytes:
        """Return the record's data key, wrapped by HPKE to an account's key on chain; the release is logged.

        Args:
            record_id: 16 bytes.
            account: who is to read; by default the account that signs.
            public_key: what the caller takes for that account's key; refused when the chain has another.

        Raises:
            NotFound: the record was not accepted by this sidecar.
            NoGrant: the account may not read it.
        """
        given = {"account": account, "public_key": public_key}
        body = {name: value.hex() for name, value in given.items() if value is not None}
        answer = await self.transport.json("POST", f"/v1/records/{record_id.hex()}/key", body=body)
        return bytes.fromhex(answer["wrapped"])

    async def releases(self, record_id: bytes) -> AsyncGenerator[KeyRelease, None]:
        """Yield to whom a record's key was handed out, the newest first.

        Raises:
            NotFound: the record was not accepted by this sidecar.
            AccessRefused: the caller is neither of the house nor decides for the patient.
        """
        async for item in self._listed(f"/v1/records/{record_id.hex()}/releases", "releases", "before", {}):
            yield key_release(item)

    async def replay_failures(self) -> int:
        """Give everything that failed another chance, undelivered notices too; return how much that is."""
        answer = await self.transport.json("POST", "/v1/failures/replay")
        return int(answer["replayed"]) + int(answer["deliveries"])

    async def ready(self) -> dict[str, Any]:
        """Say whether the sidecar takes submissions in, and if not why."""
        async with self.transport.request("GET", "/readyz") as response:
            return parsed(await limited(response))

    async def close(self) -> None:
        """Close connections."""
        await self.transport.close()

    def _request(
        self, method: str, path: str, *, params: Mapping[str, str | int] | None = None, **options: Any
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self.transport.request(method, path, query=params, **options)

    async def _json(
        self, method: str, path: str, *, params: Mapping[str, str | int] | None = None, **options: Any
    ) -> dict[str, Any]:
        return await self.transport.json(method, path, query=params, **options)

    async def _refusal(self, response: aiohttp.ClientResponse) -> errors.CaregridError:
        return fault_of(parsed(await limited(response)), response.headers.get("Retry-After"))

    async def _registration(self, patient_id: bytes) -> dict[str, Any]:
        return await self.transport.json("GET", f"/v1/patients/{patient_id.hex()}", query={"wait": POLL_S})

    async def _listed(
        self, path: str, name: str, cursor: str, query: Mapping[str, str | int]
    ) -> AsyncGenerator[Any, None]:
        place: dict[str, str] = {}
        while True:
            page = await self.transport.json("GET", path, query={**query, **place, "limit": _PAGE})
            for item in page[name]:
                yield item
            if page["next"] is None:
                return
            place = {cursor: page["next"]}


def _content_type(record_format: RecordFormat, media_type: MediaType | None) -> str:
    if media_type is None:
        return _CONTENT_TYPES[record_format]
    if record_format is not RecordFormat.BINARY:
        raise errors.InputInvalid("a media type is named for BINARY content only; other formats say theirs")
    return media_type.value


def _batches(items: Iterable[BatchItem]) -> Iterator[list[bytes]]:
    lines: list[bytes] = []
    size = 0
    for item in items:
        line = _line(item)
        if lines and (len(lines) >= BATCH_LINES or size + len(line) > BATCH_BYTES):
            yield lines
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield lines


def _line(item: BatchItem) -> bytes:
    key = b"" if item.key is None else b', "key": ' + json.dumps(item.key).encode()
    # Line breaks in JSON are blanks: those in strings are written as \n.
    resource = item.resource.replace(b"\r", b" ").replace(b"\n", b" ")
    return b'{"patient": "%s", "resource": %s%s}\n' % (item.patient_id.hex().encode(), resource, key)


def _answer(start: int, answer: Mapping[str, Any]) -> BatchAnswer:
    submission, error = answer.get("submission"), answer.get("error")
    return BatchAnswer(
        index=start + answer["line"] - 1,
        submission_id=None if submission is None else bytes.fromhex(submission),
        error=None if error is None else fault_of(error),
    )


def _query(*, patient: bytes | None, **others: str | int | None) -> dict[str, str | int]:
    given = {"patient": None if patient is None else patient.hex(), **others}
    return {name: value for name, value in given.items() if value is not None}
