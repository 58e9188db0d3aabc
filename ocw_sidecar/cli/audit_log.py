"""`caregrid audit-log`: what background tasks changed, and whether anybody changed that record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocw_sidecar.background.audit_log import AuditLog
from ocw_sidecar.cli import options, output
from ocw_sidecar.ports import utc_now
from ocw_sidecar.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.callback()
def audit_log() -> None:
    """See and check the audit log of this machine."""


@app.command()
def show(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The last so many entries.")] = 20,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Show the last entries."""
    output.result({"entries": _log(config).entries(limit)}, as_json=as_json)


@app.command()
def verify(config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Check every entry against the one before it; exit code 1 when one was changed, or is missing."""
    found = _log(config).verify()
    told = {"entries": found.entries, "first": found.first, "problem": found.problem}
    output.result({"sound": found.problem is None, **told}, as_json=as_json)
    raise typer.Exit(0 if found.problem is None else 1)


def _log(config: Path | None) -> AuditLog:
    return AuditLog(Settings.load(config).logs_path, now=utc_now)
