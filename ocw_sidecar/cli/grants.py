"""`caregrid grants`: who may read what."""

from __future__ import annotations

import typer

from ocw_sidecar.cli.lazy import lazy_group

_GIVING = "ocw_sidecar.cli.grants_giving:app"
_ASKING = "ocw_sidecar.cli.grants_asking:app"
_EMERGENCIES = "ocw_sidecar.cli.grants_emergencies:app"

app = typer.Typer(
    cls=lazy_group(
        {
            "request": _ASKING,
            "requests": _ASKING,
            "deny": _ASKING,
            "add": _GIVING,
            "extend": _GIVING,
            "revoke": _GIVING,
            "list": _GIVING,
            "emergency": _EMERGENCIES,
            "emergency-members": _EMERGENCIES,
            "releases": _ASKING,
            "publish-key": _ASKING,
        }
    ),
    no_args_is_help=True,
    help="Ask for access, give and withdraw it, and see who had it.",
)


@app.callback()
def grants() -> None:
    """Ask for access, give and withdraw it, and see who had it."""
