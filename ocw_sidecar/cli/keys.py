"""`caregrid keys`: identities, and the custodian's key store. A command is loaded when it is called."""

from __future__ import annotations

from typing import Final

import typer

from ocw_sidecar.cli.lazy import lazy_group

#: Where each command is.
PLACES: Final = {
    "create": "ocw_sidecar.cli.keys_create:app",
    "list": "ocw_sidecar.cli.keys_show:list_keys",
    "show": "ocw_sidecar.cli.keys_show:show",
    "export-public": "ocw_sidecar.cli.keys_show:export_public",
    "rotate": "ocw_sidecar.cli.keys_rotate:rotate",
    "doctor": "ocw_sidecar.cli.keys_doctor:doctor",
    "reveal": "ocw_sidecar.cli.keys_reveal:app",
}

app = typer.Typer(cls=lazy_group(PLACES), no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Make, look at and rotate keys."""
