"""What the program prints: results on standard output, progress and errors on standard error."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from caregrid.errors import CaregridError

#: Progress and notes; never part of what a script reads.
notes = Console(stderr=True, highlight=False)


def result(value: dict[str, Any], *, as_json: bool) -> None:
    """Print a result: one JSON line, or `name: value` lines."""
    if as_json:
        print(json.dumps(value))  # noqa: T201 - the program's output
        return
    for line in _lines(value, ""):
        print(line)  # noqa: T201 - the program's output


def time_of(milliseconds: int) -> str:
    """Return a time in milliseconds since 1970 as it is shown: ISO 8601 in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def error(fault: CaregridError, *, as_json: bool) -> None:
    """Print an error: one clear line, or one JSON line."""
    if as_json:
        shown = {"error": fault.code, "message": str(fault), **fault.facts()}
        print(json.dumps(shown, default=str), file=sys.stderr)  # noqa: T201 - the program's output
    else:
        print(f"caregrid: {fault}", file=sys.stderr)  # noqa: T201 - the program's output


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal, nothing elsewhere; the yielded function takes (done, total)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _lines(value: Any, indent: str) -> Iterator[str]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield f"{indent}{name}:"
            yield from _lines(inner, indent + "  ")
        elif isinstance(inner, list) and inner and isinstance(inner[0], dict):
            yield f"{indent}{name}:"
            for item in inner:
                yield indent + "  - " + ", ".join(f"{key}={_plain(one)}" for key, one in item.items())
        else:
            yield f"{indent}{name}: {_plain(inner)}"


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(_plain(item) for item in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
