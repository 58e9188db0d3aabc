"""`caregrid emr`: validate, submit, read, look up and erase records."""

from __future__ import annotations

from typing import Final

import typer

from ocw_sidecar.cli import validation as judged
from ocw_sidecar.cli.lazy import lazy_group

_RECORDS: Final = "ocw_sidecar.cli.records:app"
_ERASING: Final = "ocw_sidecar.cli.erasing:app"

app = typer.Typer(
    cls=lazy_group(
        {
            "validate": "ocw_sidecar.cli.emr:validation",
            "submit": _RECORDS,
            "status": _RECORDS,
            "get": _RECORDS,
            "show": _RECORDS,
            "erase": _ERASING,
            "erasure": _ERASING,
            "reseal": "ocw_sidecar.cli.resealing:reseal",
        }
    ),
    no_args_is_help=True,
)


@app.callback()
def emr() -> None:
    """Validate, submit, read and erase records."""


validation = typer.Typer()


@validation.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False
)
def validate(ctx: typer.Context) -> None:
    """Judge files against HL7's definitions of FHIR; needs no chain and no network."""
    raise typer.Exit(judged.main(ctx.args))
