"""Bytes and accounts out of the library's text."""

from __future__ import annotations

from typing import Any, Final

#: A 32-byte account in SS58 with prefix 42 is 47 or 48 characters.
_SS58_LENGTHS: Final = (47, 48)


def to_bytes(value: str) -> bytes:
    """Return bytes from hex."""
    return bytes.fromhex(value.removeprefix("0x"))


def to_account(value: str) -> bytes:
    """Return an account from hex or SS58."""
    from scalecodec.utils.ss58 import ss58_decode  # noqa: PLC0415 - only with the adapter

    return bytes.fromhex(value[2:] if value.startswith("0x") else ss58_decode(value))


def to_plain(value: Any) -> Any:
    """Return any decoded value with hex and SS58 as bytes, and tuples as lists; names stay text."""
    if isinstance(value, dict):
        return {name: to_plain(field) for name, field in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, str) and value.startswith("0x"):
        return to_bytes(value)
    if isinstance(value, str) and len(value) in _SS58_LENGTHS:
        return to_account(value)
    return value
