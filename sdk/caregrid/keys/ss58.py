"""Accounts at the edges: SS58 text outside, 32 bytes inside."""

from __future__ import annotations

from typing import Final

from scalecodec.utils.ss58 import ss58_decode, ss58_encode

from caregrid.errors import InputInvalid
from caregrid.records import ACCOUNT_LEN

SUBSTRATE_PREFIX: Final = 42  #: the prefix that no network owns

_HEX_LEN: Final = 2 + 2 * ACCOUNT_LEN  # longer than any SS58 form of an account
_ADVICE: Final = "this is no account; pass an SS58 address, or 0x and 64 hex digits"


def encode_account(account: bytes, prefix: int = SUBSTRATE_PREFIX) -> str:
    """Return the SS58 address of a 32-byte account.

    Raises:
        InputInvalid: not 32 bytes, or no SS58 prefix (0 to 16383, without the reserved 46 and 47).
    """
    if len(account) != ACCOUNT_LEN:
        raise InputInvalid(f"an account has {ACCOUNT_LEN} bytes, not {len(account)}; pass the raw public key")
    try:
        return str(ss58_encode(bytes(account), prefix))
    except ValueError as exc:
        raise InputInvalid("an SS58 prefix is a number from 0 to 16383, except 46 and 47") from exc


def decode_account(text: str) -> bytes:
    """Return the 32-byte account of an SS58 address with any prefix, or of 0x and 64 hex digits.

    Raises:
        InputInvalid: neither, or the address has a typing error.
    """
    text = text.strip()
    if len(text) > _HEX_LEN:  # Base58 takes quadratic time
        raise InputInvalid(_ADVICE)
    try:
        account = bytes.fromhex(text.removeprefix("0x") if text.startswith("0x") else ss58_decode(text))
    except (ValueError, IndexError) as exc:
        raise InputInvalid(_ADVICE) from exc
    if len(account) != ACCOUNT_LEN:
        raise InputInvalid(_ADVICE)
    return account
