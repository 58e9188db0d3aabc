"""Tells whether a file can be a sealed record, by how such a file begins and how long it is.

Nothing in a sealed record but its first byte is fixed: all else is as good as random. So a file passes when
that byte and the length fit and the bytes behind it are as varied as random ones: text, headers and images
are not. It is a guard against mistakes, not a proof.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from caregrid.errors import InputInvalid, SealBroken
from caregrid.sealed import plain_length
from caregrid.sealed.layout import HEADER_LEN

if TYPE_CHECKING:
    from pathlib import Path

#: Of the header's 39 random bytes some 36 are distinct; fewer than this happen once in ten million times.
MIN_DISTINCT: Final = 28


def is_sealed(file: Path) -> bool:
    """Return whether a file looks like a sealed record, or like several one behind the other.

    Raises:
        InputInvalid: it cannot be read.
    """
    try:
        with file.open("rb") as opened:
            head = opened.read(HEADER_LEN)
            size = os.fstat(opened.fileno()).st_size
    except OSError as exc:
        raise InputInvalid(f"the file cannot be read: {exc.strerror}") from exc
    return looks_sealed(head, size)


def looks_sealed(head: bytes, size: int) -> bool:
    """Return whether a file with these first 40 bytes and this length looks sealed."""
    if len(head) < HEADER_LEN or head[0] != HEADER_LEN or len(set(head[1:])) < MIN_DISTINCT:
        return False
    if head.isascii():
        return False
    try:
        plain_length(size)
    except SealBroken:
        return False
    return True
