"""The program: its commands, and what becomes of errors."""

from __future__ import annotations

import sys

import typer

from caregrid.errors import CaregridError
from ocw_sidecar.cli import devnet, doctor, emr, grants, output, sidecar

app = typer.Typer(
    name="caregrid",
    help="Private, durable, shareable medical records.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(devnet.app, name="devnet")
app.add_typer(sidecar.app, name="sidecar")
app.add_typer(emr.app, name="emr")
app.add_typer(grants.app, name="grants")
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run the program and exit with 0, with an error's own code, or with 2 for a wrong command line."""
    try:
        app()
    except CaregridError as fault:
        output.error(fault, as_json="--json" in sys.argv)
        sys.exit(fault.exit_code)
