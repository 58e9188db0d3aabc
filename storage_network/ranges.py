"""Byte ranges of HTTP requests: one range, of the forms `bytes=S-E`, `bytes=S-` and `bytes=-N`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from caregrid.errors import InputInvalid

# Longer numbers than any size would only cost time to convert.
_FORM: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class ByteRange:
    """A part of some content."""

    start: int
    end: int  #: first byte after the part

    @property
    def length(self) -> int:
        """Bytes in the part."""
        return self.end - self.start

    def content_range(self, size: int) -> str:
        """Return the answer's Content-Range header for content of `size` bytes."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


def parse_standard(text: str, size: int) -> ByteRange:
    """Return the part that a `Range` header asks for (RFC 9110, section 14.1.2), cut at the content's end.

    Raises:
        InputInvalid: nothing of the content is asked for, or several parts are.
    """
    first, last = _numbers(text)
    if first is None:
        if not last:
            raise InputInvalid("invalid range value")
        return ByteRange(start=max(0, size - last), end=size)
    if last is not None:
        _require(last >= first, "invalid range end")
        last = min(last, size - 1)
    return _part(first, last, size)


def parse_deoss(text: str, size: int) -> ByteRange:
    """Return the part that DeOSS's `Content-Range` request header asks for: no suffix, nothing past the end.

    Raises:
        InputInvalid: as DeOSS would refuse it, and when it starts past the end.
    """
    first, last = _numbers(text)
    if first is None:
        raise InputInvalid("invalid range start")
    _require(last is None or first <= last < size, "invalid range end")
    return _part(first, last, size)


def _numbers(text: str) -> tuple[int | None, int | None]:
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise InputInvalid("invalid range value")
    first, last = (int(group) if group else None for group in match.groups())
    return first, last


def _part(first: int, last: int | None, size: int) -> ByteRange:
    _require(first < size, "invalid range start")
    return ByteRange(start=first, end=size if last is None else last + 1)


def _require(condition: bool, text: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not condition:
        raise InputInvalid(text)
