"""`caregrid storage put|get|stat|list|nodes`."""

from __future__ import annotations

import json
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caregrid import errors
from caregrid.client import require_content
from ocw_sidecar.cli import options, output, storage_lines, storage_opening
from ocw_sidecar.cli.storage_opening import Config, ObjectArgument
from ocw_sidecar.cli.storage_sealed import is_sealed

if TYPE_CHECKING:
    from caregrid.storage import NodeState, ObjectStat, ObjectStore, StoredEntry

app = typer.Typer()


@app.command()
def put(
    file: Annotated[Path, typer.Argument(help="A sealed record, or with --as-is any file.")],
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Store a file that is not sealed; whoever gets it can read it.")
    ] = False,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    config: Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Store a file as one object. Its bytes are stored as they are: nothing is encrypted here.

    An upload that is cut off goes on where it stopped, and storing a file again changes nothing.
    """
    require_content(file)
    if not as_is and not is_sealed(file):
        raise errors.InputInvalid(
            "the file is not a sealed record, and would be stored readable for all; hand it in with "
            "`caregrid emr submit`, or give --as-is if it may be read by anybody"
        )
    with output.progress_bar("storing") as show:
        stored = storage_opening.with_store(profile, config, lambda store: store.put(file, progress=show))
    output.result({"object": stored.hex(), "bytes": file.stat().st_size, "file": str(file)}, as_json=as_json)


@app.command()
def get(
    object_: ObjectArgument,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; by default the file id, in this folder.")
    ] = None,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    config: Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Read an object into a file, and check it against its file id.

    The file appears whole or not at all. Asked again after a cut, it goes on behind the segments that are
    there already.
    """
    object_id = storage_opening.object_id(object_)
    target = out or Path(object_id.hex())
    if not target.absolute().parent.is_dir():
        raise errors.InputMissing(f"there is no folder {target.parent}; make it first")
    if target.is_dir():
        raise errors.InputInvalid(f"{target} is a folder; name the file to write")
    with output.progress_bar("reading") as show:
        size = storage_opening.with_store(
            profile, config, lambda store: store.download(object_id, target, progress=show, resume=True)
        )
    output.result({"object": object_id.hex(), "bytes": size, "file": str(target)}, as_json=as_json)


@app.command()
def stat(
    object_: ObjectArgument,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    config: Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Say how large an object is, and how well it is stored."""
    object_id = storage_opening.object_id(object_)

    async def work(store: ObjectStore) -> ObjectStat:
        found = await store.stat(object_id)
        if found is None:
            raise errors.ObjectUnknown
        return found

    found = storage_opening.with_store(profile, config, work)
    output.result(storage_lines.of_stat(object_id, found), as_json=as_json)


@app.command("list")
def list_objects(
    after: Annotated[str | None, typer.Option(help="Begin behind this file id.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after this many; by default never.")] = None,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON line for each object.")] = False,
) -> None:
    """List what the account stored in its territory, ordered by file id: a line for each object."""
    behind = None if after is None else storage_opening.object_id(after)

    async def work(store: ObjectStore) -> None:
        shown = 0
        async with aclosing(store.list(behind)) as entries:
            async for entry in entries:
                print(_entry_line(entry, as_json=as_json), flush=True)  # noqa: T201 - the program's output
                shown += 1
                if shown == limit:
                    return

    storage_opening.with_store(profile, config, work)


@app.command()
def nodes(
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    config: Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Say which storage nodes there are, whether they answer, and how full they are."""

    async def work(store: ObjectStore) -> tuple[NodeState, ...]:
        found = await store.nodes()
        if found is None:
            raise errors.NotFound("this network does not tell of its storage nodes; on CESS ask the chain")
        return found

    found = storage_opening.with_store(profile, config, work)
    living = sum(each.living for each in found)
    output.result(
        {"total": len(found), "living": living, "nodes": [_node(each) for each in found]}, as_json=as_json
    )


def _entry_line(entry: StoredEntry, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"object": entry.object_id.hex(), "bytes": entry.size, "space": entry.space})
    size = "size untold" if entry.size is None else f"{entry.size} bytes"
    return f"{entry.object_id.hex()}  {size}  {entry.space} of space"


def _node(node: NodeState) -> dict[str, Any]:
    return {
        "node": node.node,
        "living": node.living,
        "bytes_free": node.bytes_free,
        "bytes_used": node.bytes_used,
        "bytes_limit": node.bytes_limit,
        "fragments": node.fragments,
        "corrupt": node.corrupt,
        "draining": node.draining,
    }
