"""The audit log: what was changed, by whom, when, and how it ended, each entry bound to the one before it.

A line is a JSON object; its `digest` is SHA-256 over a tag and the object without it, in canonical form:
sorted keys, no blanks. So nobody who cannot rewrite all that follows changes, drops or swaps an entry unseen.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caregrid.disk import full_disk_named, sync_folder
from ocw_sidecar.log_files import LogFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

FILE_NAME: Final = "audit.log"
#: A file that has reached this is set aside.
MAX_BYTES: Final = 16 << 20
#: Files set aside: with 300 bytes an entry, 1.1 million entries.
KEEP: Final = 20
#: What stands before the first entry.
ORIGIN: Final = bytes(32).hex()

_TAG: Final = b"caregrid/audit-log/v1\n"
_MAX_LINE: Final = 8_192


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What checking the log came to."""

    entries: int  #: that are sound, from the oldest kept on
    first: int | None  #: the number of the oldest one
    problem: str | None  #: what is wrong, and where; None: nothing


class AuditLog:
    """The log of a home folder; any number of processes may write it."""

    def __init__(self, folder: Path, *, now: Callable[[], datetime], max_bytes: int = MAX_BYTES) -> None:
        self._file, self._now = LogFile(folder / FILE_NAME, max_bytes, KEEP), now

    def append(self, what: str, result: str, figures: Mapping[str, Any] | None = None) -> None:
        """Write an entry down, durably. Blocks.

        Args:
            what: the operation, a word of the program's own.
            result: what came of it, likewise.
            figures: numbers and codes; never an address, a pattern or a person's id.

        Raises:
            DiskLow: there is no room; nothing was written.
        """
        with full_disk_named(), self._file.held():
            number, previous = self._last()
            entry = {
                "number": number + 1,
                "at": self._now().isoformat(timespec="milliseconds"),
                "who": _who(),
                "what": what,
                "result": result,
                "figures": dict(figures or {}),
                "previous": previous,
            }
            line = json.dumps({**entry, "digest": _digest(entry)}, sort_keys=True, separators=(",", ":"))
            fresh = not self._file.size()
            self._file.append_held(line.encode() + b"\n", durable=True)
            if fresh:
                sync_folder(self._file.path.parent)

    def verify(self) -> Verdict:
        """Check every entry that is kept. Blocks."""
        entries, first, previous = 0, None, None
        for place, line in self._lines():
            entry = _parsed(line)
            if entry is None:
                return Verdict(entries=entries, first=first, problem=f"{place} is no entry")
            if previous is None:
                first, previous = entry["number"], (entry["number"] - 1, entry["previous"])
            if entry["digest"] != _digest(entry):
                return Verdict(entries=entries, first=first, problem=f"{place} was changed")
            if (entry["number"], entry["previous"]) != (previous[0] + 1, previous[1]):
                return Verdict(entries=entries, first=first, problem=f"before {place} entries are missing")
            entries, previous = entries + 1, (entry["number"], entry["digest"])
        if first == 1 and entries and not self._begins_at_origin():
            return Verdict(entries=0, first=first, problem="the first entry does not begin the log")
        return Verdict(entries=entries, first=first, problem=None)

    def entries(self, limit: int) -> list[dict[str, Any]]:
        """Return the last entries, the oldest first. Blocks."""
        kept: list[dict[str, Any]] = []
        for _, line in self._lines():
            entry = _parsed(line)
            if entry is not None:
                kept = [*kept[-(limit - 1) :], entry] if limit > 1 else [entry]
        return kept

    def _begins_at_origin(self) -> bool:
        _, line = next(self._lines())
        entry = _parsed(line)
        return entry is not None and entry["previous"] == ORIGIN

    def _lines(self) -> Iterator[tuple[str, bytes]]:
        for path in self._file.files():
            with path.open("rb") as file:
                for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE), b""), start=1):
                    yield f"{path.name}, line {number},", line

    def _last(self) -> tuple[int, str]:
        """Return the last entry's number and digest; what a crash has cut short behind it is removed."""
        path = self._file.path
        _drop_torn(path)
        for each in reversed(self._file.files()):
            entry = _parsed(_last_line(each))
            if entry is not None:
                return int(entry["number"]), str(entry["digest"])
        return 0, ORIGIN


def _who() -> str:
    """Return the system's account, as an auditor of this machine knows it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _digest(entry: Mapping[str, Any]) -> str:
    bare = {name: value for name, value in entry.items() if name != "digest"}
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(_TAG + text.encode()).hexdigest()


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    named = isinstance(entry, dict) and {"number", "previous", "digest"} <= set(entry)
    return entry if named and isinstance(entry["number"], int) and line.endswith(b"\n") else None


def _last_line(path: Path) -> bytes:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2 * _MAX_LINE))
        return b"".join(file.read().splitlines(keepends=True)[-1:])


def _drop_torn(path: Path) -> None:
    if not path.exists():
        return
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        begun = max(0, size - _MAX_LINE)
        file.seek(begun)
        tail = file.read()
        if tail and not tail.endswith(b"\n"):
            file.truncate(begun + tail.rfind(b"\n") + 1)
