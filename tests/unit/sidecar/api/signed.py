"""Requests that tests sign by themselves, well or badly."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from caregrid.signing import content_digest, message_of, sign_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caregrid.keys import Identity
    from tests.unit.sidecar.api.calls import Client


def headers_for(
    client: Client,
    who: Identity,
    method: str,
    path: str,
    *,
    content: bytes | None = None,
    headers: dict[str, str] | None = None,
    at: float | None = None,
    lies: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Return a request's headers with its signature; `lies` is what the signature wrongly speaks of."""
    sent = dict(headers or {})
    if content is not None:
        sent["Content-Digest"] = content_digest(hashlib.sha256(content).digest())
    message = replace(message_of(method, client.make_url(path), sent), **(lies or {}))
    moment = time.time() if at is None else at
    return sent | sign_request(message, who.account, who.sign, now=lambda: moment)
