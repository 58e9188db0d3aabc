"""`caregrid cache`: the optional cache of what the chain's nodes answer."""

from __future__ import annotations

import typer

from ocw_sidecar.adapters.opening import redis_module
from ocw_sidecar.cli import options, output
from ocw_sidecar.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.callback()
def cache() -> None:
    """Look after the cache in Redis, on which nothing depends but speed."""


@app.command()
def clear(config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Remove every entry of this installation; those of others with another `redis.prefix` stay."""
    removed = redis_module().clear(Settings.load(config).redis)
    output.result({"removed": removed}, as_json=as_json)
