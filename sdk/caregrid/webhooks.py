"""Signed webhooks: how the sidecar signs what it sends, and how a receiver checks it.

The form is that of Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature`, the last
with `v1,` and HMAC-SHA256 in Base64 over `id.timestamp.body`, one for each secret that is good now. A secret
reads `whsec_` and Base64 of 24 to 64 bytes.

At least once means that a message may come twice, with one id. Answer 2xx each time, and act once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets as random_source
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import InputInvalid, ProtocolViolation, WebhookRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: Clocks of two sites differ by less; what is older was recorded by somebody.
TOLERANCE_S: Final = 300
#: The present secret and, while receivers change over, the one before.
MAX_SECRETS: Final = 2
#: Message ids that a verifier remembers; a digest a second would fill the tolerance with fewer.
MAX_REMEMBERED: Final = 10_000
#: The sidecar sends less.
MAX_BODY_BYTES: Final = 256 * 1024

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"

_PREFIX: Final = "whsec_"
_SECRET_LENGTHS: Final = range(24, 65)
_VERSION: Final = "v1"
_MAX_SIGNATURES: Final = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookMessage:
    """A message that came from whom it says."""

    id: str
    type: str  #: a kind of notice, or `digest`
    notices: Sequence[Mapping[str, Any]]  #: each with `id`, `position`, `kind`, `at` and `facts`
    repeated: bool  #: this verifier has passed the id before: answer 2xx and do nothing


def new_secret() -> str:
    """Draw a secret."""
    return encode_secret(random_source.token_bytes(32))


def encode_secret(secret: bytes) -> str:
    """Return a secret as it is written."""
    return _PREFIX + base64.b64encode(secret).decode()


def decode_secret(text: str) -> bytes:
    """Return a secret's bytes.

    Raises:
        InputInvalid: it is none.
    """
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) not in _SECRET_LENGTHS:
        raise InputInvalid("a webhook's secret is `whsec_` and Base64 of 24 to 64 bytes")
    return secret


def signed_headers(
    keys: Sequence[bytes], *, message_id: str, timestamp: int, body: bytes
) -> Mapping[str, str]:
    """Return the headers that go with a body; `timestamp` is in seconds since 1970."""
    signatures = [_signature(key, message_id, str(timestamp), body) for key in keys]
    return {
        ID_HEADER: message_id,
        TIMESTAMP_HEADER: str(timestamp),
        SIGNATURE_HEADER: " ".join(f"{_VERSION},{signature}" for signature in signatures),
    }


class WebhookVerifier:
    """Checks what arrives at a receiver's address.

    Args:
        secrets: the receiver's secrets, as written; while one is replaced, both.
        tolerance_s: how far the sender's clock may be off.
        now: the time in seconds since 1970.
    """

    def __init__(
        self,
        secrets: Sequence[str],
        *,
        tolerance_s: float = TOLERANCE_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        if not 1 <= len(secrets) <= MAX_SECRETS:
            raise InputInvalid(f"pass 1 to {MAX_SECRETS} secrets")
        self._keys = [decode_secret(secret) for secret in secrets]
        self._tolerance_s, self._now = tolerance_s, now
        self._passed: OrderedDict[str, None] = OrderedDict()

    def verify(self, headers: Mapping[str, str], body: bytes) -> WebhookMessage:
        """Return the message, if it is whole, of now, and from the sidecar.

        Raises:
            WebhookRefused: it is not; answer 401.
            ProtocolViolation: signed, but not in CareGrid's form.
        """
        given = {name.lower(): value for name, value in headers.items()}
        message_id, timestamp = given.get(ID_HEADER, ""), given.get(TIMESTAMP_HEADER, "")
        if not message_id or len(body) > MAX_BODY_BYTES:
            raise WebhookRefused
        self._require_signature(message_id, timestamp, body, given.get(SIGNATURE_HEADER, ""))
        self._require_present(timestamp)
        return _message(message_id, body, repeated=self._note(message_id))

    def _require_signature(self, message_id: str, timestamp: str, body: bytes, given: str) -> None:
        signatures = [text.partition(",") for text in given.split(" ", _MAX_SIGNATURES)[:_MAX_SIGNATURES]]
        good = [_signature(key, message_id, timestamp, body).encode() for key in self._keys]
        # Every pair is compared, in constant time, whichever matches.
        matches = [
            hmac.compare_digest(wanted, signature.encode()) and version == _VERSION
            for version, _, signature in signatures
            for wanted in good
        ]
        if not any(matches):
            raise WebhookRefused

    def _require_present(self, timestamp: str) -> None:
        try:
            sent_at = int(timestamp)
        except ValueError:
            raise WebhookRefused from None
        if abs(self._now() - sent_at) > self._tolerance_s:
            raise WebhookRefused("the webhook is too old, or a clock is wrong; check this machine's clock")

    def _note(self, message_id: str) -> bool:
        repeated = message_id in self._passed
        self._passed[message_id] = None
        self._passed.move_to_end(message_id)
        while len(self._passed) > MAX_REMEMBERED:
            self._passed.popitem(last=False)
        return repeated


def _signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    signed = b".".join([message_id.encode(), timestamp.encode(), body])
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _message(message_id: str, body: bytes, *, repeated: bool) -> WebhookMessage:
    try:
        value = json.loads(body)
        return WebhookMessage(
            id=message_id, type=value["type"], notices=value["data"]["notices"], repeated=repeated
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ProtocolViolation("the webhook is signed, but not in CareGrid's form") from None
