"""The table of errors is frozen: scripts and dashboards rely on it."""

from __future__ import annotations

import inspect
from pathlib import Path

from caregrid import errors

PAGE = Path(__file__).resolve().parents[3] / "docs/reference/errors.md"


def every_error() -> list[type[errors.CaregridError]]:
    """Return every error class, in the order of the source."""
    found = [value for value in vars(errors).values() if inspect.isclass(value)]
    return [value for value in found if issubclass(value, errors.CaregridError)]


def test_the_page_is_the_table() -> None:
    """`docs/reference/errors.md` lists every code with its exit code and meaning, and no other."""
    table, _, _ = PAGE.read_text().partition("## Refusals of the chain")
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    expected = [
        f"| `{kind.code}` | {kind.exit_code} | {(kind.__doc__ or '').strip().splitlines()[0]} |"
        for kind in every_error()
    ]
    assert expected == rows


def test_codes_are_unique() -> None:
    """A code names one class; exit codes may be shared by a class and its general parent."""
    codes = [kind.code for kind in every_error()]
    assert len(codes) == len(set(codes))


def test_every_error_is_either_recoverable_or_fatal() -> None:
    """A caller can decide on trying again by class alone."""
    undecided = [
        kind
        for kind in every_error()
        if kind is not errors.CaregridError and not issubclass(kind, errors.Recoverable | errors.Fatal)
    ]
    assert [] == undecided


def test_the_docstring_is_the_default_message() -> None:
    """An error raised without words still says what to do."""
    assert "ask the patient" in str(errors.NoGrant())
    assert {"limit": 5} == errors.InputTooLarge(limit=5).facts()
    assert "5 bytes" in str(errors.InputTooLarge(limit=5))
