"""`caregrid sidecar`: the daemon."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ocw_sidecar import supervisor
from ocw_sidecar.api import create_token
from ocw_sidecar.cli import options, output
from ocw_sidecar.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Run the daemon that takes records in.")

Config = Annotated[
    Path | None,
    typer.Option("--config", envvar="CAREGRID_CONFIG_FILE", help="A TOML file; CAREGRID_* stand above it."),
]


@app.command()
def run(config: Config = None) -> None:
    """Run until SIGTERM or SIGINT; then drain and stop."""
    asyncio.run(supervisor.run(Settings.load(config)))


@app.command()
def token(config: Config = None, as_json: options.AsJson = False) -> None:
    """Make a token for an application; it is shown once and kept only as a digest."""
    output.result({"token": create_token(Settings.load(config).home)}, as_json=as_json)
