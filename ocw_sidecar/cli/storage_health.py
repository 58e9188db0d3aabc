"""`caregrid storage check|verify|repair`: count fragments, have them read and hashed, rebuild them."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from caregrid.storage.health import WANTED_NODES, WANTED_REPLICAS, Cutoff
from ocw_sidecar.cli import options, storage_opening
from ocw_sidecar.cli.storage_looks import Looks
from ocw_sidecar.cli.storage_opening import Config
from ocw_sidecar.cli.storage_scan import Tally, each, sampled, scan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from ocw_sidecar.cli.storage_lines import Line
    from ocw_sidecar.cli.storage_opening import Opened

app = typer.Typer()

#: Each of a sample's ids is kept in memory.
MAX_SAMPLE: Final = 1_000_000
#: What a shell says of a program that was interrupted.
_INTERRUPTED: Final = 130

Objects = Annotated[list[str] | None, typer.Argument(metavar="OBJECT", help="File ids: 64 hex digits each.")]
All = Annotated[
    bool,
    typer.Option(
        "--all",
        help="Every object: with --config the organisation's, as the sidecar follows the chain; else what "
        "the account stored.",
    ),
]
Sample = Annotated[int | None, typer.Option(min=1, max=MAX_SAMPLE, help="So many of these, drawn by chance.")]
AtOnce = Annotated[int, typer.Option(min=1, max=64, help="Objects looked at at once.")]
MinReplicas = Annotated[float, typer.Option(min=0.01, help="Fewer copies' worth of fragments are trouble.")]
MinNodes = Annotated[int, typer.Option(min=1, help="Fewer distinct storage nodes are trouble.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON, too.")]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    names: Sequence[bytes]
    sample: int | None
    at_once: int
    cutoff: Cutoff

    async def objects(self, found: Opened) -> AsyncIterator[bytes]:
        if self.names:
            return each(self.names)
        return found.objects() if self.sample is None else each(await sampled(found.objects(), self.sample))


@app.command()
def check(
    objects: Objects = None,
    all_: All = False,
    sample: Sample = None,
    at_once: AtOnce = 8,
    min_replicas: MinReplicas = WANTED_REPLICAS,
    min_nodes: MinNodes = WANTED_NODES,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Count living fragments: a JSON line for each object, a summary on standard error.

    Exit code 0 when all are well, 1 when some are in trouble.
    """
    asked = _asked(objects, all_, sample, at_once, Cutoff(replicas=min_replicas, nodes=min_nodes))
    _run(asked, lambda looks: looks.check, profile, config, as_json=as_json)


@app.command()
def verify(
    objects: Objects = None,
    all_: All = False,
    sample: Sample = None,
    download: Annotated[
        bool, typer.Option("--download", help="Read each whole object, too, and compare its file id.")
    ] = False,
    at_once: AtOnce = 2,
    min_replicas: MinReplicas = WANTED_REPLICAS,
    min_nodes: MinNodes = WANTED_NODES,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Have every fragment read and hashed by its node; lines, summary and exit codes as `check`."""
    asked = _asked(objects, all_, sample, at_once, Cutoff(replicas=min_replicas, nodes=min_nodes))
    _run(asked, lambda looks: looks.download if download else looks.verify, profile, config, as_json=as_json)


@app.command()
def repair(
    objects: Objects = None,
    all_: All = False,
    sample: Sample = None,
    at_once: AtOnce = 1,
    min_replicas: MinReplicas = WANTED_REPLICAS,
    min_nodes: MinNodes = WANTED_NODES,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Have lost and damaged fragments rebuilt; lines and exit codes as `check`, of how objects are then.

    Only the account that stored an object can have it repaired: for a sidecar's, give its --config.
    """
    asked = _asked(objects, all_, sample, at_once, Cutoff(replicas=min_replicas, nodes=min_nodes))
    _run(asked, lambda looks: looks.repair, profile, config, as_json=as_json)


def _asked(
    objects: Sequence[str] | None,
    all_: bool,  # noqa: FBT001 - as the command line has it
    sample: int | None,
    at_once: int,
    cutoff: Cutoff,
) -> _Asked:
    if sum((bool(objects), all_, sample is not None)) != 1:
        raise typer.BadParameter("name objects, or give --all or --sample: one of the three")
    names = [storage_opening.object_id(text) for text in objects or ()]
    return _Asked(names=names, sample=sample, at_once=at_once, cutoff=cutoff)


def _run(
    asked: _Asked,
    choose: Callable[[Looks], Callable[[bytes], Awaitable[Line]]],
    profile: Path,
    config: Path | None,
    *,
    as_json: bool,
) -> None:
    tally = Tally()

    async def work() -> None:
        async with storage_opening.opened(profile, config) as found:
            looks = Looks(store=found.store, cutoff=asked.cutoff)
            await scan(await asked.objects(found), choose(looks), tally, at_once=asked.at_once)

    try:
        asyncio.run(work())
    except KeyboardInterrupt:
        _summarise(tally, as_json=as_json)
        raise typer.Exit(_INTERRUPTED) from None
    _summarise(tally, as_json=as_json)
    raise typer.Exit(tally.exit_code())


def _summarise(tally: Tally, *, as_json: bool) -> None:
    text = json.dumps(tally.as_dict()) if as_json else tally.as_text()
    print(text, file=sys.stderr)  # noqa: T201 - not part of what a script reads
