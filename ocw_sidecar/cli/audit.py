"""`caregrid audit`: proofs that objects are still stored, asked for by custodians and checked by anybody."""

from __future__ import annotations

from typing import Final

import typer

from ocw_sidecar.cli.lazy import lazy_group

_OWNERS: Final = "ocw_sidecar.cli.audit_owners:app"
_OUTSIDERS: Final = "ocw_sidecar.cli.audit_outsiders:app"

app = typer.Typer(
    cls=lazy_group(
        {
            "commit": _OWNERS,
            "challenge": _OUTSIDERS,
            "prove": _OWNERS,
            "verify": _OUTSIDERS,
            "history": _OUTSIDERS,
        }
    ),
    no_args_is_help=True,
)


@app.callback()
def audit() -> None:
    """Have storage nodes prove what they hold, and check their proofs without trusting anybody."""
