"""`caregrid storage`: objects on the storage network, and how well they are stored."""

from __future__ import annotations

from typing import Final

import typer

from ocw_sidecar.cli.lazy import lazy_group

_OBJECTS: Final = "ocw_sidecar.cli.storage_objects:app"
_HEALTH: Final = "ocw_sidecar.cli.storage_health:app"

app = typer.Typer(
    cls=lazy_group(
        {
            "put": _OBJECTS,
            "get": _OBJECTS,
            "stat": _OBJECTS,
            "list": _OBJECTS,
            "fid": "ocw_sidecar.cli.storage_fid:fid",
            "nodes": _OBJECTS,
            "check": _HEALTH,
            "verify": _HEALTH,
            "repair": _HEALTH,
        }
    ),
    no_args_is_help=True,
)


@app.callback()
def storage() -> None:
    """Store, read and list objects; check, verify and repair them."""
