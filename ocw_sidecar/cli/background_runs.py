"""How the background commands run: what they log, what they print, and what becomes of an error."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from caregrid.errors import CaregridError
from ocw_sidecar import logs
from ocw_sidecar.cli import output
from ocw_sidecar.settings import Settings
from ocw_sidecar.workers.background.report import Result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

T = TypeVar("T")

Verbosity = Annotated[
    int,
    typer.Option(
        "-v",
        "--verbose",
        min=0,
        max=3,
        help="0: errors alone; 1: and the result; 2: and what was done; 3: and each step.",
    ),
]

#: What is logged to standard error, by verbosity.
_LEVELS: Final = (logging.ERROR, logging.ERROR, logging.INFO, logging.DEBUG)


def carried_out(
    config: Path | None, work: Callable[[Settings], Awaitable[T]], *, verbose: int, as_json: bool
) -> T:
    """Return what some work came to; an error that ends it is a complete failure."""
    try:
        settings = Settings.load(config)
        logs.configure(settings, name=logs.BACKGROUND_FILE, level=_LEVELS[verbose])
        return asyncio.run(_awaited(work, settings))
    except CaregridError as fault:
        output.error(fault, as_json=as_json)
        raise typer.Exit(Result.FAILURE) from None


def shown(value: Mapping[str, Any], *, verbose: int, as_json: bool) -> None:
    """Print a result, unless only errors are wanted."""
    if verbose > 0:
        output.result(dict(value), as_json=as_json)


async def _awaited(work: Callable[[Settings], Awaitable[T]], settings: Settings) -> T:
    return await work(settings)
