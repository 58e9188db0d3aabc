"""The commands of the program."""

from __future__ import annotations

import typer

from ocw_sidecar.cli.lazy import lazy_group

app = typer.Typer(
    name="caregrid",
    cls=lazy_group(
        {
            "devnet": "ocw_sidecar.cli.devnet:app",
            "sidecar": "ocw_sidecar.cli.sidecar:app",
            "emr": "ocw_sidecar.cli.emr:app",
            "grants": "ocw_sidecar.cli.grants:app",
            "operators": "ocw_sidecar.cli.operators:app",
            "keys": "ocw_sidecar.cli.keys:app",
            "storage": "ocw_sidecar.cli.storage:app",
            "cache": "ocw_sidecar.cli.cache:app",
            "threats": "ocw_sidecar.cli.threats:app",
            "cleanup-expired-blocks": "ocw_sidecar.cli.background:cleanup_expired_blocks",
            "sync-blockchain": "ocw_sidecar.cli.background:sync_blockchain",
            "run-background-tasks": "ocw_sidecar.cli.background:run_background_tasks",
            "audit-log": "ocw_sidecar.cli.audit_log:app",
            "audit": "ocw_sidecar.cli.audit:app",
            "doctor": "ocw_sidecar.cli.doctor:doctor",
        }
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def caregrid() -> None:
    """Private, durable, shareable medical records."""
