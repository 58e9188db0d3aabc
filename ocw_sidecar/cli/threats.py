"""`caregrid threats`: networks and attack signatures that the organisation shares, in the local tables."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from caregrid.chain.port import BlockReason, Severity, SignatureFormat
from caregrid.errors import InputInvalid, InputMissing
from caregrid.threats import parse_network
from ocw_sidecar import task_runs
from ocw_sidecar.background import intake
from ocw_sidecar.cli import options, output
from ocw_sidecar.ports import utc_now
from ocw_sidecar.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from ocw_sidecar.background.port import ThreatTables

T = TypeVar("T")

#: Entries of one transaction: a million rows never stand in memory together.
_PAGE: Final = 500

app = typer.Typer(no_args_is_help=True)


class What(StrEnum):
    """What a file is about."""

    BLOCKS = "blocks"
    SIGNATURES = "signatures"


@app.callback()
def threats() -> None:
    """Note what `sync-blockchain` is to put on the chain."""


@app.command()
def block(
    net: Annotated[str, typer.Argument(metavar="NET", help="CIDR, or one address.")],
    reason: Annotated[str, typer.Option(help=f"One of {', '.join(BlockReason)}.")] = BlockReason.POLICY,
    hours: Annotated[float, typer.Option(help="For how long; 2160 at most.")] = 24.0,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Have a network blocked for everybody who heeds the organisation."""
    wanted = intake.new_block({"net": net, "reason": reason, "hours": hours}, now=utc_now())
    changed = _noted(config, "threats-block", lambda tables: tables.block([wanted], now=utc_now()))
    output.result({"net": str(wanted.net), "changed": changed}, as_json=as_json)


@app.command()
def unblock(
    net: Annotated[str, typer.Argument(metavar="NET", help="As it was blocked.")],
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Have a network of the organisation blocked no more."""
    parsed = str(parse_network(net))
    changed = _noted(config, "threats-unblock", lambda tables: tables.unblock([parsed], now=utc_now()))
    output.result({"net": parsed, "changed": changed}, as_json=as_json)


@app.command("add-signature")
def add_signature(
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="2,048 bytes at most; public for ever.")],
    kind: Annotated[str, typer.Option("--format", help=f"One of {', '.join(SignatureFormat)}.")],
    severity: Annotated[str, typer.Option(help=f"One of {', '.join(Severity)}.")],
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Share an attack signature."""
    wanted = intake.new_signature({"pattern": pattern, "format": kind, "severity": severity})
    changed = _noted(config, "threats-add-signature", lambda tables: tables.register([wanted], now=utc_now()))
    output.result({"signature": wanted.signature_id.hex(), "changed": changed}, as_json=as_json)


@app.command("import")
def import_file(
    what: Annotated[What, typer.Argument(metavar="blocks|signatures")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a first line of names, or NDJSON.")],
    layout: Annotated[
        intake.Layout | None, typer.Option("--format", help="By default as the file's name ends.")
    ] = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Note many at once. Broken rows are told by their lines, and the exit code is 1; the others go on."""
    chosen, rows = layout or _layout_of(file), intake.Rows()
    changed = _noted(config, "threats-import", lambda tables: _import(tables, what, file, chosen, rows))
    told = [{"line": each.line, "problem": each.problem} for each in rows.told]
    figures = {"rows": rows.good + rows.broken, "changed": changed, "broken": rows.broken, "problems": told}
    output.result(figures, as_json=as_json)
    raise typer.Exit(1 if rows.broken else 0)


async def _import(
    tables: ThreatTables, what: What, file: Path, layout: intake.Layout, rows: intake.Rows
) -> int:
    changed, now = 0, utc_now()
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            if what is What.BLOCKS:
                for page in _pages(intake.networks(lines, layout, rows, now=now)):
                    changed += await tables.block(page, now=now)
            else:
                for marks in _pages(intake.signatures(lines, layout, rows)):
                    changed += await tables.register(marks, now=now)
    except FileNotFoundError as exc:
        raise InputMissing(f"there is no file {file}") from exc
    except UnicodeDecodeError as exc:
        raise InputInvalid(f"{file} is not UTF-8; what came before byte {exc.start} was noted") from exc
    return changed


def _pages(entries: Iterator[T]) -> Iterator[Sequence[T]]:
    page: list[T] = []
    for each in entries:
        page.append(each)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page


def _layout_of(file: Path) -> intake.Layout:
    try:
        return {".csv": intake.Layout.CSV, ".ndjson": intake.Layout.NDJSON, ".jsonl": intake.Layout.NDJSON}[
            file.suffix.lower()
        ]
    except KeyError:
        raise InputInvalid("the file's name tells no format; give --format csv or ndjson") from None


def _noted(config: Path | None, what: str, work: Callable[[ThreatTables], Awaitable[int]]) -> int:
    async def run() -> int:
        async with task_runs.open_tasks(Settings.load(config), chain=False) as tasks:
            changed = await work(tasks.tables)
            await asyncio.to_thread(tasks.audit.append, what, "noted", {"changed": changed})
            return changed

    return asyncio.run(run())
