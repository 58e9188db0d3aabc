"""The managed way in: a hospital's own sidecar takes content over its API, then keeps it sealed."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from caregrid import errors
from caregrid.records import RecordFormat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

#: A sidecar on the same site accepts a connection at once, or is down.
CONNECT_TIMEOUT_S: Final = 5.0
#: Sealing and the durable commit of 100 MiB take a few seconds; without a byte for this long it hangs.
STALL_TIMEOUT_S: Final = 60.0
#: One long poll; the sidecar answers sooner when there is news.
POLL_S: Final = 25

_MAX_ANSWER: Final = 64 * 1024 * 1024
_CONTENT_TYPES: Final = {
    RecordFormat.FHIR_R4_JSON: "application/fhir+json; fhirVersion=4.0",
    RecordFormat.FHIR_R4B_JSON: "application/fhir+json; fhirVersion=4.3",
    RecordFormat.FHIR_R5_JSON: "application/fhir+json; fhirVersion=5.0",
    RecordFormat.DICOM: "application/dicom",
    RecordFormat.BINARY: "application/octet-stream",
}
_ERRORS: Final = {
    kind.code: kind
    for kind in (
        errors.DiskLow,
        errors.InputEmpty,
        errors.InputInvalid,
        errors.InputTooLarge,
        errors.JsonBroken,
        errors.NotFound,
        errors.QueueFull,
        errors.Unauthorised,
    )
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemStatus:
    """How far one record of a submission has come."""

    record_id: bytes
    ordinal: int  #: place in the submission, from 0
    state: str  #: as in the sidecar's state machine; `confirmed`, `rejected` and `failed` are final
    object_id: bytes | None
    block: int | None  #: the finalized block that anchors it
    outcome: dict[str, Any] | None  #: FHIR OperationOutcome of a rejected record
    reason: str | None  #: why it failed


@dataclass(frozen=True, kw_only=True, slots=True)
class SubmissionStatus:
    """How far a submission has come."""

    submission_id: bytes
    state: str
    settled: bool  #: every record is confirmed, rejected or failed
    items: Sequence[ItemStatus]
    reason: str | None = None

    def of_state(self, state: str) -> list[ItemStatus]:
        """Return the items in one state."""
        return [item for item in self.items if item.state == state]


class SidecarClient:
    """A sidecar's API, used with one bearer token. Constructing does no I/O."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._session: aiohttp.ClientSession | None = None

    async def submit(
        self,
        content: bytes | Path,
        *,
        patient_id: bytes,
        format: RecordFormat,  # noqa: A002 - the field's name
        idempotency_key: str | None = None,
    ) -> bytes:
        """Hand content over and return the submission's 16-byte id once it is durable.

        Raises:
            SidecarUnreachable: no answer; with an idempotency key it is safe to send again.
            InputEmpty, InputTooLarge, QueueFull, DiskLow, Unauthorised: as the sidecar says.
        """
        headers = {"X-CareGrid-Patient": patient_id.hex(), "Content-Type": _CONTENT_TYPES[format]}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        if isinstance(content, bytes):
            answer = await self._json("POST", "/v1/submissions", data=content, headers=headers)
        else:
            with await asyncio.to_thread(content.open, "rb") as body:
                answer = await self._json("POST", "/v1/submissions", data=body, headers=headers)
        return bytes.fromhex(answer["submission"])

    async def status(self, submission_id: bytes, *, wait_s: int = 0) -> SubmissionStatus:
        """Return how far a submission has come, at once or when it is settled, whichever is later."""
        answer = await self._json("GET", f"/v1/submissions/{submission_id.hex()}", params={"wait": wait_s})
        return SubmissionStatus(
            submission_id=submission_id,
            state=answer["state"],
            settled=answer["settled"],
            items=[_item(item) for item in answer["records"]],
            reason=answer.get("reason"),
        )

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

    async def release_key(self, record_id: bytes, *, account: bytes, public_key: bytes) -> bytes:
        """Return the record's data key, wrapped by HPKE to an account's public key; the release is logged.

        Raises:
            NotFound: the record was not accepted by this sidecar.
        """
        body = {"account": account.hex(), "public_key": public_key.hex()}
        answer = await self._json("POST", f"/v1/records/{record_id.hex()}/key", json=body)
        return bytes.fromhex(answer["wrapped"])

    async def ready(self) -> dict[str, Any]:
        """Say whether the sidecar takes submissions in, and if not why."""
        async with self._request("GET", "/readyz") as response:
            return _parsed(await _limited(response))

    async def close(self) -> None:
        """Close connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        async with self._request(method, path, **options) as response:
            body = await _limited(response)
        answer = _parsed(body)
        if response.status >= 400:  # noqa: PLR2004 - HTTP
            raise _error(answer)
        return answer

    @asynccontextmanager
    async def _request(self, method: str, path: str, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        session = self._connected()
        try:
            async with session.request(
                method, self._url + path, allow_redirects=False, **options
            ) as response:
                yield response
        except (TimeoutError, aiohttp.ClientError) as exc:
            raise errors.SidecarUnreachable from exc

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=STALL_TIMEOUT_S
            )
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        return self._session


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MAX_ANSWER:
            raise errors.ProtocolViolation("the sidecar's answer is too large")
    return bytes(body)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise errors.ProtocolViolation("this is no CareGrid sidecar; check its URL")
    return answer


def _error(answer: dict[str, Any]) -> errors.CaregridError:
    message = str(answer.get("message") or "the sidecar refused the request")
    kind = _ERRORS.get(str(answer.get("code")), errors.Fatal)
    return kind(message)


def _item(item: dict[str, Any]) -> ItemStatus:
    return ItemStatus(
        record_id=bytes.fromhex(item["record"]),
        ordinal=item["ordinal"],
        state=item["state"],
        object_id=None if item["object"] is None else bytes.fromhex(item["object"]),
        block=item["block"],
        outcome=item.get("outcome"),
        reason=item.get("reason"),
    )
