"""Reads networks and attack signatures out of CSV and NDJSON, row by row; a broken row is told by its line.

Columns, or members of each object: for networks `net`, `reason`, and `expires_at` (ISO 8601 with a zone) or
`hours`; for signatures `pattern`, `format`, `severity` and, if it is to be known again, `id` (32 hex digits).
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeVar

from caregrid.chain.limits import MAX_BLOCK_DURATION
from caregrid.chain.port import BlockReason, Severity, SignatureFormat
from caregrid.errors import InputInvalid
from caregrid.sealed.ids import new_record_id
from caregrid.threats import parse_network
from ocw_sidecar.background.items import BLOCK_S, NewBlock, NewSignature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

#: Rows of one file; more are several files.
MAX_ROWS: Final = 1_000_000
#: Broken rows that are told; of more, only their number.
MAX_TOLD: Final = 100
#: No network stands on the chain for longer.
LONGEST: Final = timedelta(seconds=MAX_BLOCK_DURATION * BLOCK_S)
MAX_PATTERN: Final = 2048

_ID_LEN: Final = 16
_MAX_LINE: Final = 16_384

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class Layout(StrEnum):
    """How a file is written."""

    CSV = "csv"
    NDJSON = "ndjson"


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """A row that was left out."""

    line: int
    problem: str


@dataclass(kw_only=True, slots=True)
class Rows:
    """What was read so far."""

    good: int = 0
    broken: int = 0
    told: list[Broken] = field(default_factory=list)

    def leave_out(self, line: int, problem: str) -> None:
        """Note a broken row."""
        self.broken += 1
        if len(self.told) < MAX_TOLD:
            self.told.append(Broken(line=line, problem=problem))


def networks(lines: Iterable[str], layout: Layout, rows: Rows, *, now: datetime) -> Iterator[NewBlock]:
    """Yield the networks of a file; what cannot be read is noted in `rows`."""
    return _read(lines, layout, rows, lambda row: new_block(row, now=now))


def signatures(lines: Iterable[str], layout: Layout, rows: Rows) -> Iterator[NewSignature]:
    """Yield the signatures of a file; what cannot be read is noted in `rows`."""
    return _read(lines, layout, rows, new_signature)


def new_block(row: Mapping[str, Any], *, now: datetime) -> NewBlock:
    """Return what a row wants blocked.

    Raises:
        InputInvalid: it is no network, no reason that the chain knows, or has ended or never ends.
    """
    net = parse_network(_text(row, "net").strip())
    expires_at = _end(row, now)
    if not now < expires_at <= now + LONGEST:
        raise InputInvalid(f"expires_at lies in the past, or more than {LONGEST.days} days ahead")
    return NewBlock(net=net, reason=_one_of(BlockReason, row, "reason"), expires_at=expires_at)


def new_signature(row: Mapping[str, Any]) -> NewSignature:
    """Return what a row wants shared.

    Raises:
        InputInvalid: there is no pattern, it is too long, or the chain knows no such format or severity.
    """
    pattern = _text(row, "pattern").encode()
    if len(pattern) > MAX_PATTERN:
        raise InputInvalid(f"pattern is longer than {MAX_PATTERN} bytes")
    return NewSignature(
        signature_id=_id(row),
        format=_one_of(SignatureFormat, row, "format"),
        severity=_one_of(Severity, row, "severity"),
        pattern=pattern,
    )


def _read(
    lines: Iterable[str], layout: Layout, rows: Rows, make: Callable[[Mapping[str, Any]], T]
) -> Iterator[T]:
    for line, row in _csv(lines) if layout is Layout.CSV else _ndjson(lines):
        if rows.good + rows.broken >= MAX_ROWS:
            raise InputInvalid(f"a file has {MAX_ROWS} rows at most; split it")
        try:
            if isinstance(row, InputInvalid):
                raise row
            made = make(row)
        except InputInvalid as fault:
            rows.leave_out(line, str(fault))
            continue
        rows.good += 1
        yield made


def _csv(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any] | InputInvalid]]:
    reader = csv.DictReader(lines, strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                yield reader.line_num, InputInvalid("the row has not as many columns as the first line")
            else:
                yield reader.line_num, row
    except csv.Error as exc:
        # What follows an open quotation mark cannot be told apart any more.
        yield reader.line_num, InputInvalid(f"this is no CSV: {exc}; what follows was not read")


def _ndjson(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any] | InputInvalid]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, _object(line)


def _object(line: str) -> Mapping[str, Any] | InputInvalid:
    try:
        row = json.loads(line) if len(line) <= _MAX_LINE else None
    except (ValueError, RecursionError):
        row = None
    return row if isinstance(row, dict) else InputInvalid("the line is no JSON object")


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InputInvalid(f"{name} is missing")
    return value


def _one_of(kind: type[E], row: Mapping[str, Any], name: str) -> E:
    text = _text(row, name).strip().lower()
    for member in kind:
        if member.value.lower() == text:
            return member
    raise InputInvalid(f"{name} is one of {', '.join(kind)}")


def _end(row: Mapping[str, Any], now: datetime) -> datetime:
    hours, at = row.get("hours"), row.get("expires_at")
    if (hours in {None, ""}) == (at in {None, ""}):
        raise InputInvalid("give either expires_at or hours")
    try:
        found = now + timedelta(hours=float(hours)) if at in {None, ""} else datetime.fromisoformat(str(at))  # type: ignore[arg-type]
    except (ValueError, TypeError, OverflowError):
        raise InputInvalid("expires_at is like 2026-12-31T00:00:00Z, hours is a number") from None
    if found.tzinfo is None:
        raise InputInvalid("expires_at has no time zone; end it with Z for UTC")
    return found.astimezone(UTC)


def _id(row: Mapping[str, Any]) -> bytes:
    text = row.get("id")
    if text in {None, ""}:
        return new_record_id()
    try:
        value = bytes.fromhex(str(text))
    except ValueError:
        value = b""
    if len(value) != _ID_LEN:
        raise InputInvalid(f"id is {2 * _ID_LEN} hex digits")
    return value
