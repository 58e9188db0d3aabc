"""Requests signed by an account: HTTP Message Signatures (RFC 9421) with sr25519.

A signature covers the method, the authority, path and query, the digest of the content where there is any
(Content-Digest, RFC 9530), and each header of :data:`COVERED_HEADERS` that is sent. Its parameters hold the
time, a nonce that is never used twice, and the account. So nobody on the way can change what is asked, send
it elsewhere, or send it again.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from caregrid.errors import Unauthorised
from caregrid.keys import verify_signature
from caregrid.records import ACCOUNT_LEN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from yarl import URL

#: The private name of the algorithm: schnorrkel over Ristretto as Substrate's accounts use it.
ALGORITHM: Final = "sr25519"

#: Headers that change what a request means; one that is sent is signed.
COVERED_HEADERS: Final = (
    "content-digest",
    "content-encoding",
    "content-type",
    "idempotency-key",
    "last-event-id",
    "x-caregrid-patient",
)

NONCE_LEN: Final = 16
MAX_NONCE_CHARS: Final = 64

_DERIVED: Final = ("@method", "@authority", "@path", "@query")
_ITEM: Final = r'"[@a-z0-9-]{1,40}"'
_INPUT: Final = re.compile(
    rf"(?P<label>[a-z][a-z0-9_-]{{0,30}})="
    rf"(?P<params>\((?P<covered>{_ITEM}(?: {_ITEM}){{0,15}})\)"
    r";created=(?P<created>[0-9]{1,12})"
    rf';nonce="(?P<nonce>[A-Za-z0-9_-]{{16,{MAX_NONCE_CHARS}}})"'
    r';keyid="(?P<keyid>[0-9a-f]{64})"'
    rf';alg="{ALGORITHM}")'
)
_DIGEST: Final = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_FORM: Final = (
    "sign the request as docs/reference/api.md says: Signature, and Signature-Input with the parameters "
    "created, nonce, keyid and alg, in this order"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What a signature speaks of; header names in lower case."""

    method: str
    authority: str  #: as in the Host header
    path: str  #: as on the wire
    query: str  #: without its question mark
    headers: Mapping[str, str]

    @property
    def covered(self) -> tuple[str, ...]:
        """The names of what a signature of this message covers."""
        return (*_DERIVED, *(name for name in COVERED_HEADERS if name in self.headers))

    def base(self, covered: tuple[str, ...], params: str) -> bytes:
        """Return the signature base of RFC 9421, section 2.5."""
        lines = [f'"{name}": {self._value(name)}' for name in covered]
        return "\n".join([*lines, f'"@signature-params": {params}']).encode()

    def _value(self, name: str) -> str:
        derived = {
            "@method": self.method,
            "@authority": self.authority.lower(),
            "@path": self.path,
            "@query": f"?{self.query}",
        }
        return derived[name] if name in derived else self.headers[name].strip()


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """What a good signature says."""

    account: bytes
    created: int  #: seconds since 1970
    nonce: str


def content_digest(digest: bytes) -> str:
    """Return the `Content-Digest` header for a SHA-256 digest."""
    return f"sha-256=:{base64.b64encode(digest).decode()}:"


def parse_content_digest(header: str) -> bytes | None:
    """Return the SHA-256 digest of a `Content-Digest` header, or None when it has none."""
    found = _DIGEST.fullmatch(header.strip())
    return None if found is None else base64.b64decode(found[1])


def message_of(method: str, url: URL, headers: Mapping[str, str]) -> Message:
    """Return what is signed of a request that is to be sent."""
    lowered = {name.lower(): value for name, value in headers.items()}
    authority = url.host_port_subcomponent or ""
    return Message(
        method=method,
        authority=authority,
        path=url.raw_path,
        query=url.raw_query_string,
        headers=lowered,
    )


def sign_request(
    message: Message,
    account: bytes,
    sign: Callable[[bytes], bytes],
    *,
    now: Callable[[], float] = time.time,
) -> dict[str, str]:
    """Return the headers that sign a request, `Signature-Input` and `Signature`."""
    covered = message.covered
    nonce = base64.urlsafe_b64encode(secrets.token_bytes(NONCE_LEN)).rstrip(b"=").decode()
    names = " ".join(f'"{name}"' for name in covered)
    params = f'({names});created={int(now())};nonce="{nonce}";keyid="{account.hex()}";alg="{ALGORITHM}"'
    signature = base64.b64encode(sign(message.base(covered, params))).decode()
    return {"Signature-Input": f"caregrid={params}", "Signature": f"caregrid=:{signature}:"}


def verify_request(message: Message, signature_input: str, signature: str) -> Signed:
    """Return what a request's signature says. Time and nonce are the caller's to judge.

    Raises:
        Unauthorised: it is not in the form, does not cover everything, or is not the account's.
    """
    found = _INPUT.fullmatch(signature_input.strip())
    if found is None:
        raise Unauthorised(_FORM)
    covered = tuple(found["covered"].replace('"', "").split(" "))
    if len(set(covered)) != len(covered) or set(covered) != set(message.covered):
        raise Unauthorised(f"the signature must cover exactly {' '.join(message.covered)}")
    account = bytes.fromhex(found["keyid"])
    value = _signature_value(signature, found["label"])
    if len(account) != ACCOUNT_LEN or not verify_signature(
        account, message.base(covered, found["params"]), value
    ):
        raise Unauthorised("the signature does not fit the request and the account")
    return Signed(account=account, created=int(found["created"]), nonce=found["nonce"])


def nonce_digest(signed: Signed) -> bytes:
    """Return the 32 bytes that stand for one account's use of a nonce."""
    return hashlib.sha256(b"caregrid/nonce/v1" + signed.account + signed.nonce.encode()).digest()


def _signature_value(header: str, label: str) -> bytes:
    found = re.fullmatch(rf"{label}=:([A-Za-z0-9+/]{{86}}==):", header.strip())
    if found is None:
        raise Unauthorised(_FORM)
    return base64.b64decode(found[1])
