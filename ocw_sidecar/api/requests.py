"""Reads ids, headers, queries and bodies of requests, and refuses what is malformed."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from caregrid.content import Declared, declared, is_packed
from caregrid.errors import InputInvalid, JsonBroken, MediaTypeUnsupported
from caregrid.records import PATIENT_ID_LEN, RECORD_ID_LEN
from ocw_sidecar.api.callers import CALLER
from ocw_sidecar.api.contents import encoding_of, whole_body
from ocw_sidecar.api.models import KEY_FORM
from ocw_sidecar.pipeline.intake import PARSED_MEDIA, Offer, idempotency_digest

if TYPE_CHECKING:
    from aiohttp import web
    from pydantic_core import ErrorDetails

    from caregrid.content import MediaType

M = TypeVar("M", bound=BaseModel)

#: The largest request that is read whole holds one public key in hex.
MAX_JSON_BYTES: Final = 8192

_PATIENT: Final = "X-CareGrid-Patient"


def offer_of(request: web.Request) -> Offer:
    """Read what a caller says of the content he sends."""
    named = declared_as(request.headers.get("Content-Type", ""))
    return Offer(
        patient_id=hex_bytes(_PATIENT, request.headers.get(_PATIENT, ""), PATIENT_ID_LEN),
        format=named.record_format,
        # How much packed content grows to, nobody says.
        announced=None if is_packed(encoding_of(request)) else request.content_length,
        idempotency=idempotency_of(request, request.headers.get("Idempotency-Key")),
        submitter=request[CALLER].account,
        media_type=named.media_type if named.media_type in PARSED_MEDIA else None,
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
def declared_as(content_type: str) -> Declared:
    """Return what a `Content-Type` names; FHIR without version is R4.

    Raises:
        MediaTypeUnsupported: it names nothing that is taken in.
    """
    return declared(content_type)


def media_type_of(request: web.Request) -> MediaType:
    """Return the kind of content that a request says it brings; raises as `declared_as`."""
    return declared_as(request.headers.get("Content-Type", "")).media_type


def require_media(request: web.Request, *media: str) -> None:
    """Refuse content of another type.

    Raises:
        MediaTypeUnsupported: it is.
    """
    if request.content_type not in media:
        raise MediaTypeUnsupported(f"send Content-Type {' or '.join(media)}")


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
