"""Bytes and accounts out of the library's text."""

from __future__ import annotations


def to_bytes(value: str) -> bytes:
    """Return bytes from hex."""
    return bytes.fromhex(value.removeprefix("0x"))


def to_account(value: str) -> bytes:
    """Return an account from hex or SS58."""
    from scalecodec.utils.ss58 import ss58_decode  # noqa: PLC0415 - only with the adapter

    return bytes.fromhex(value[2:] if value.startswith("0x") else ss58_decode(value))
