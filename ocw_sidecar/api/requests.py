"""Reads ids, headers, queries and bodies of requests, and refuses what is malformed."""

from __future__ import annotations

import asyncio
import hashlib
import re
from email.message import Message
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from caregrid.errors import (
    ContentAltered,
    ContentStalled,
    InputInvalid,
    InputTooLarge,
    JsonBroken,
    MediaTypeUnsupported,
)
from caregrid.records import PATIENT_ID_LEN, RECORD_ID_LEN, RecordFormat
from caregrid.signing import parse_content_digest
from ocw_sidecar.api.callers import CALLER
from ocw_sidecar.api.models import KEY_FORM
from ocw_sidecar.pipeline.intake import Offer, idempotency_digest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aiohttp import web
    from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)

#: Content arrives from the same machine or network; a sender that pauses this long has died.
BODY_STALL_TIMEOUT_S: Final = 30.0

#: What a sender gets beyond the time that his bytes take at the lowest rate.
BODY_GRACE_S: Final = 60.0

#: A slower sender only wants to hold the place of others.
MIN_BYTES_PER_S: Final = 16 * 1024

#: The largest request that is read whole holds one public key in hex.
MAX_JSON_BYTES: Final = 8192

_CHUNK_SIZE: Final = 256 * 1024
_PATIENT: Final = "X-CareGrid-Patient"
_DIGEST_FORM: Final = "Content-Digest is `sha-256=:BASE64:`"
_FHIR_VERSIONS: Final = {
    "4.0": RecordFormat.FHIR_R4_JSON,
    "4.3": RecordFormat.FHIR_R4B_JSON,
    "5.0": RecordFormat.FHIR_R5_JSON,
}


def offer_of(request: web.Request) -> Offer:
    """Read what a caller says of the content he sends."""
    return Offer(
        patient_id=hex_bytes(_PATIENT, request.headers.get(_PATIENT, ""), PATIENT_ID_LEN),
        format=format_of(request.headers.get("Content-Type", "")),
        announced=request.content_length,
        idempotency=idempotency_of(request, request.headers.get("Idempotency-Key")),
        submitter=request[CALLER].account,
    )


def idempotency_of(request: web.Request, key: str | None) -> bytes | None:
    """Return what stands for a caller's key in the queue.

    Raises:
        InputInvalid: it is empty, too long, or holds blanks or other than ASCII.
    """
    if key is None:
        return None
    if not re.fullmatch(KEY_FORM, key):
        raise InputInvalid("an idempotency key has 1 to 64 visible ASCII characters")
    return idempotency_digest(request[CALLER].id, key)


@lru_cache(maxsize=256)
def format_of(content_type: str) -> RecordFormat:
    """Return the format that a `Content-Type` names; FHIR without version is R4.

    Raises:
        MediaTypeUnsupported: it names none that is taken in.
    """
    header = Message()
    header["Content-Type"] = content_type
    kind = header.get_content_type()
    if kind == "application/fhir+json":
        version = str(header.get_param("fhirversion", "4.0"))
        if version not in _FHIR_VERSIONS:
            raise MediaTypeUnsupported(f"fhirVersion is one of {', '.join(_FHIR_VERSIONS)}")
        return _FHIR_VERSIONS[version]
    if kind == "application/dicom":
        return RecordFormat.DICOM
    if content_type and kind == "application/octet-stream":
        return RecordFormat.BINARY
    raise MediaTypeUnsupported(
        "send Content-Type application/fhir+json, application/dicom or application/octet-stream"
    )


def require_media(request: web.Request, *media: str) -> None:
    """Refuse content of another type.

    Raises:
        MediaTypeUnsupported: it is.
    """
    if request.content_type not in media:
        raise MediaTypeUnsupported(f"send Content-Type {' or '.join(media)}")


async def content_of(request: web.Request) -> AsyncGenerator[bytes, None]:
    """Yield the body as it arrives; end only when it is what `Content-Digest` says, where that is sent.

    Raises:
        ContentStalled: the sender stopped before its end, or is too slow.
        ContentAltered: the digest does not fit.
        MediaTypeUnsupported: it is compressed.
    """
    require_plain(request)
    wanted, digest = _expected_digest(request), hashlib.sha256()
    received, waited = 0, 0.0
    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        chunk = await _read(request)
        waited, received = waited + clock() - began, received + len(chunk)
        if waited > BODY_GRACE_S + received / MIN_BYTES_PER_S:
            raise ContentStalled
        if not chunk:
            break
        if wanted is not None:
            digest.update(chunk)
        yield chunk
    if wanted is not None and digest.digest() != wanted:
        raise ContentAltered


async def _read(request: web.Request) -> bytes:
    if request.content.is_eof():
        return await request.content.read(_CHUNK_SIZE)  # all of it is here: nothing to wait for
    try:
        async with asyncio.timeout(BODY_STALL_TIMEOUT_S):
            return await request.content.read(_CHUNK_SIZE)
    except TimeoutError:
        raise ContentStalled from None


def require_plain(request: web.Request) -> None:
    """Refuse compressed content: what it would grow to is not known.

    Raises:
        MediaTypeUnsupported: it is.
    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise MediaTypeUnsupported("send the content without Content-Encoding")


def _expected_digest(request: web.Request) -> bytes | None:
    header = request.headers.get("Content-Digest")
    if header is None:
        return None
    if len(request.headers.getall("Content-Digest")) > 1 or (found := parse_content_digest(header)) is None:
        raise InputInvalid(_DIGEST_FORM)
    return found


async def whole_body(request: web.Request, limit: int) -> bytes:
    """Return a body that is bounded.

    Raises:
        InputTooLarge: it is larger; otherwise as `content_of`.
    """
    body = bytearray()
    async for chunk in content_of(request):
        body += chunk
        if len(body) > limit:
            raise InputTooLarge(limit=limit)
    return bytes(body)


async def json_body(request: web.Request, model: type[M]) -> M:
    """Return a small JSON body, checked.

    Raises:
        JsonBroken: it is no JSON object.
        InputInvalid: a field is not as described, or not known.
    """
    require_media(request, "application/json")
    return parsed(await whole_body(request, MAX_JSON_BYTES), model)


def parsed(body: bytes, model: type[M]) -> M:
    """Return JSON, checked; raises as `json_body`."""
    try:
        return model.model_validate_json(body)
    except ValidationError as exc:
        fault = exc.errors(include_input=False, include_url=False, include_context=False)[0]
    if fault["type"] in {"json_invalid", "model_type"}:
        raise JsonBroken("send a JSON object")
    raise InputInvalid(_advice(fault, model, "field"))


def query(request: web.Request, model: type[M]) -> M:
    """Return the parameters of a request's query, checked.

    Raises:
        InputInvalid: one is not as described, not known, or there twice.
    """
    given = dict(request.query)
    if len(given) != len(request.query):
        raise InputInvalid("a parameter stands twice; send each once")
    try:
        return model.model_validate(given)
    except ValidationError as exc:
        fault = exc.errors(include_input=False, include_url=False, include_context=False)[0]
    raise InputInvalid(_advice(fault, model, "parameter"))


def _advice(fault: ErrorDetails, model: type[BaseModel], what: str) -> str:
    """Say what is wrong in our own words and names: what a caller wrote is not repeated."""
    if fault["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields) or "none"
        return f"there is a {what} that is not known; known here: {known}"
    return f"{fault['loc'][0] if fault['loc'] else what}: {fault['msg']}"


def record_id_of(request: web.Request) -> bytes:
    """Return the 16-byte id in the path."""
    return hex_bytes("an id", request.match_info["id"], RECORD_ID_LEN)


def patient_id_of(request: web.Request) -> bytes:
    """Return the 32-byte id in the path."""
    return hex_bytes("a patient id", request.match_info["id"], PATIENT_ID_LEN)


def hex_bytes(name: str, text: Any, length: int) -> bytes:
    """Return bytes from hex, with or without 0x.

    Raises:
        InputInvalid: not hex, or not that many bytes.
    """
    digits = str(text).removeprefix("0x")
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        value = b""
    if len(value) != length or len(digits) != 2 * length:
        raise InputInvalid(f"{name} is {2 * length} hex digits")
    return value


def from_hex(text: str) -> bytes:
    """Return bytes from hex that a model has checked."""
    return bytes.fromhex(text.removeprefix("0x"))
