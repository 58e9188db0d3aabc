"""Reads ids, headers and bodies of requests, and refuses what is malformed."""

from __future__ import annotations

import asyncio
import json
from email.message import Message
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from caregrid.errors import InputInvalid, JsonBroken
from caregrid.records import PATIENT_ID_LEN, RECORD_ID_LEN, RecordFormat
from ocw_sidecar.pipeline.intake import Offer, idempotency_digest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

#: Content arrives from the same machine or network; a sender that pauses this long has died.
BODY_STALL_TIMEOUT_S: Final = 30.0

#: The largest request that is read whole holds one public key in hex.
MAX_JSON_BYTES: Final = 8192

#: Stands for who makes a request: the digest of his token, 32 bytes.
CALLER: Final = web.RequestKey("caller", bytes)

_CHUNK_SIZE: Final = 256 * 1024
_PATIENT: Final = "X-CareGrid-Patient"
_FHIR_VERSIONS: Final = {
    "4.0": RecordFormat.FHIR_R4_JSON,
    "4.3": RecordFormat.FHIR_R4B_JSON,
    "5.0": RecordFormat.FHIR_R5_JSON,
}


def offer_of(request: web.Request) -> Offer:
    """Read what a caller says of the content he sends."""
    key = request.headers.get("Idempotency-Key")
    return Offer(
        patient_id=hex_bytes(_PATIENT, request.headers.get(_PATIENT, ""), PATIENT_ID_LEN),
        format=format_of(request.headers.get("Content-Type", "")),
        announced=request.content_length,
        idempotency=None if key is None else idempotency_digest(request[CALLER], key),
    )


def format_of(content_type: str) -> RecordFormat:
    """Return the format that a `Content-Type` names; FHIR without version is R4.

    Raises:
        InputInvalid: it names none that is taken in.
    """
    header = Message()
    header["Content-Type"] = content_type
    kind = header.get_content_type()
    if kind == "application/fhir+json":
        version = str(header.get_param("fhirversion", "4.0"))
        if version not in _FHIR_VERSIONS:
            raise InputInvalid(f"fhirVersion is one of {', '.join(_FHIR_VERSIONS)}")
        return _FHIR_VERSIONS[version]
    if kind == "application/dicom":
        return RecordFormat.DICOM
    if content_type and kind == "application/octet-stream":
        return RecordFormat.BINARY
    raise InputInvalid(
        "send Content-Type application/fhir+json, application/dicom or application/octet-stream"
    )


async def content_of(request: web.Request) -> AsyncGenerator[bytes, None]:
    """Yield the body as it arrives.

    Raises:
        InputInvalid: the sender stopped before its end.
    """
    while True:
        try:
            async with asyncio.timeout(BODY_STALL_TIMEOUT_S):
                chunk = await request.content.read(_CHUNK_SIZE)
        except TimeoutError:
            raise InputInvalid("the content stopped coming before its end; send it again") from None
        if not chunk:
            return
        yield chunk


async def json_object(request: web.Request) -> dict[str, Any]:
    """Return a small JSON body.

    Raises:
        JsonBroken: it is no JSON object.
    """
    try:
        value = json.loads(await request.content.read(MAX_JSON_BYTES))
    except (ValueError, RecursionError):
        raise JsonBroken from None
    if not isinstance(value, dict):
        raise JsonBroken("send a JSON object")
    return value


def record_id_of(request: web.Request) -> bytes:
    """Return the 16-byte id in the path."""
    return hex_bytes("an id", request.match_info["id"], RECORD_ID_LEN)


def hex_bytes(name: str, text: Any, length: int) -> bytes:
    """Return bytes from hex, with or without 0x.

    Raises:
        InputInvalid: not hex, or not that many bytes.
    """
    try:
        value = bytes.fromhex(str(text).removeprefix("0x"))
    except ValueError:
        value = b""
    if len(value) != length:
        raise InputInvalid(f"{name} is {2 * length} hex digits")
    return value


def seconds_of(text: str, most: float) -> float:
    """Return a number of seconds, at most so many.

    Raises:
        InputInvalid: not a number from 0 on.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise InputInvalid("wait is a number of seconds")
    return min(seconds, most)
