"""`caregrid sidecar`: the daemon, and what its operator tells it."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Annotated, Any

import typer

from caregrid.disk import replacing
from caregrid.errors import InputInvalid
from ocw_sidecar import operating, supervisor
from ocw_sidecar.cli import options, output, tokens
from ocw_sidecar.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Run the daemon that takes records in, and control it.")
app.add_typer(tokens.app, name="token")

WorkerName = Annotated[str, typer.Argument(metavar="WORKER", help="One of those that `status` lists.")]
Timeout = Annotated[
    float, typer.Option("--timeout", min=0.1, help="Seconds to wait for a sidecar that runs.")
]

#: Reading and reporting a sample of objects takes some blocks, on a busy machine more.
DEFAULT_TIMEOUT_S = 120.0


@app.command()
def run(config: options.Config = None) -> None:
    """Run until SIGTERM or SIGINT; then drain and stop."""
    asyncio.run(supervisor.run(Settings.load(config)))


@app.command("run-once")
def run_once(
    worker: WorkerName,
    config: options.Config = None,
    timeout_s: Timeout = DEFAULT_TIMEOUT_S,
    as_json: options.AsJson = False,
) -> None:
    """Have a worker run once, paused or not: in the sidecar that runs, or here when none does."""
    done = asyncio.run(operating.run_once(Settings.load(config), worker, timeout_s=timeout_s))
    shown: dict[str, Any] = {"worker": done.worker, "by_daemon": done.by_daemon, "items": done.items}
    output.result({**shown, "reason": done.reason}, as_json=as_json)
    raise typer.Exit(0 if done.reason is None else 1)


@app.command()
def pause(worker: WorkerName, config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Let a worker finish what it does and begin nothing more, also after a restart."""
    asyncio.run(operating.pause(Settings.load(config), worker))
    output.result({"worker": worker, "paused": True}, as_json=as_json)


@app.command()
def resume(worker: WorkerName, config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Let a worker go on."""
    asyncio.run(operating.resume(Settings.load(config), worker))
    output.result({"worker": worker, "paused": False}, as_json=as_json)


@app.command()
def status(config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Show which sidecars run, how far they have followed the chain, and what their workers do."""
    output.result(asyncio.run(operating.status(Settings.load(config))), as_json=as_json)


@app.command()
def nodes(config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Show how storage nodes have answered challenges, the worst first."""
    output.result({"nodes": asyncio.run(operating.nodes(Settings.load(config)))}, as_json=as_json)


@app.command()
def bundle(
    digest: Annotated[str, typer.Argument(metavar="DIGEST", help="`proof_digest` of a report, in hex.")],
    out: Annotated[Path, typer.Option("--out", help="File to write it to.")],
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Write what was asked and answered in a check of an object, as `caregrid audit verify` reads it."""
    body = asyncio.run(operating.bundle(Settings.load(config), _digest(digest)))
    with replacing(out) as file:
        file.write(body)
    output.result({"bundle": digest, "bytes": len(body)}, as_json=as_json)


@app.command()
def rebuild(config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Forget how far the chain was followed and what was read from it; the next start reads it anew."""
    asyncio.run(operating.rebuild(Settings.load(config)))
    output.result({"rebuilt_at_next_start": True}, as_json=as_json)


def _digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        digest = b""
    if len(digest) != hashlib.sha256().digest_size:
        raise InputInvalid("a bundle's digest is 64 hex digits")
    return digest
