"""Who makes a request: DeOSS's signed headers `Account`, `Message` and `Signature`.

A message is signed with sr25519 (signing context `substrate`). It is not bound to the request: whoever sees
one can use it until it expires, so a client lets it expire soon.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import base58
import sr25519
from scalecodec.utils.ss58 import ss58_decode, ss58_encode

from caregrid.errors import Unauthorised
from caregrid.records import ACCOUNT_LEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: SS58 prefix of CESS accounts; the generic one is taken, too.
CESS_SS58: Final = 11330
_GENERIC_SS58: Final = 42
_SIGNATURE_LEN: Final = 64

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_SECONDS: Final = range(10**9, 10**12)
_MILLISECONDS: Final = range(10**12, 10**15)

_DENIED: Final = "no permission"


def authenticate(headers: Mapping[str, str], *, now: float, require_expiry: bool) -> bytes:
    """Return the 32-byte account that signed the request; `now` is in Unix seconds.

    Raises:
        Unauthorised: a header is missing or malformed, the message has expired, or no signature form fits.
    """
    # An Ethereum key may speak for an account on CESS; we do not offer that.
    if "EthAcc" in headers:
        raise Unauthorised(_DENIED)
    account = _account(headers.get("Account", ""))
    message, signature = headers.get("Message", ""), headers.get("Signature", "")
    if not message or not _is_fresh(message, now, require_expiry=require_expiry):
        raise Unauthorised(_DENIED)
    if not _is_signed(message.encode(errors="surrogateescape"), signature, account):
        raise Unauthorised(_DENIED)
    return account


def cess_address(account: bytes) -> str:
    """Return an account as CESS writes it."""
    return str(ss58_encode(account, CESS_SS58))


def account_of(address: str) -> bytes:
    """Return the account that an address names; errors as `authenticate`."""
    return _account(address)


def _account(address: str) -> bytes:
    # The decoder lets hexadecimal through unchecked.
    if address.startswith("0x"):
        raise Unauthorised(_DENIED)
    for prefix in (CESS_SS58, _GENERIC_SS58):
        try:
            account = bytes.fromhex(ss58_decode(address, prefix))
        except (ValueError, IndexError):
            continue
        if len(account) == ACCOUNT_LEN:
            return account
    raise Unauthorised(_DENIED)


def _is_fresh(message: str, now: float, *, require_expiry: bool) -> bool:
    expiry = _expiry(message)
    return not require_expiry if expiry is None else now < expiry


def _expiry(message: str) -> float | None:
    if _INTEGER.fullmatch(message):
        number = int(message)
        if number in _SECONDS:
            return number
        return number / 1000 if number in _MILLISECONDS else None
    try:
        return datetime.strptime(message, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _is_signed(message: bytes, signature: str, account: bytes) -> bool:
    wrapped = b"<Bytes>" + message + b"</Bytes>"
    return any(_verify(form, message, account) for form in _signature_forms(signature)) or any(
        _verify(form, wrapped, account) for form in _hex_forms(signature)
    )


def _signature_forms(signature: str) -> Iterator[bytes]:
    yield signature.encode(errors="surrogateescape")
    yield from _hex_forms(signature)
    try:
        yield base58.b58decode(signature)
    except ValueError:
        return


def _hex_forms(signature: str) -> Iterator[bytes]:
    try:
        yield bytes.fromhex(signature.removeprefix("0x"))
    except ValueError:
        return


def _verify(signature: bytes, message: bytes, account: bytes) -> bool:
    if len(signature) != _SIGNATURE_LEN:
        return False
    try:
        return bool(sr25519.verify(signature, message, account))
    except ValueError:
        # The account is not a point of the curve.
        return False
