"""`caregrid devnet`: a whole CareGrid on this machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ocw_sidecar.cli import options, output
from ocw_sidecar.devnet import Devnet, Parts
from ocw_sidecar.devnet.chain import ChainParts

app = typer.Typer(no_args_is_help=True, help="Run chain, storage network and sidecar on this machine.")

Folder = Annotated[
    Path, typer.Option("--folder", envvar="CAREGRID_DEVNET", help="Where the network keeps its things.")
]


@app.command()
def up(
    folder: Folder = options.DEVNET_FOLDER,
    node: Annotated[
        Path | None,
        typer.Option(envvar="CAREGRID_NODE", help="The node's executable; without it chopsticks runs."),
    ] = None,
    chain_port: Annotated[int, typer.Option(help="The chain's port; 0 takes any free one.")] = 0,
    gateway_port: Annotated[int, typer.Option(help="The gateway's port; 0 takes any free one.")] = 0,
    sidecar_port: Annotated[int, typer.Option(help="The sidecar's port; 0 takes any free one.")] = 0,
    without_sidecar: Annotated[bool, typer.Option(help="Leave the sidecar to be started by hand.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Start a network from an empty chain; it runs until `devnet down`."""
    parts = Parts(
        chain=ChainParts(
            node=node,
            chopsticks=options.path_from_environment("CAREGRID_CHOPSTICKS"),
            chain_spec=options.path_from_environment("CAREGRID_CHAIN_SPEC"),
        ),
        chain_port=chain_port,
        gateway_port=gateway_port,
        sidecar_port=sidecar_port,
        with_sidecar=not without_sidecar,
    )
    network, begun = Devnet(folder), time.monotonic()
    network.up(parts, lambda step: output.notes.print(f"{time.monotonic() - begun:5.1f} s  {step}"))
    output.result(_described(network), as_json=as_json)


@app.command()
def down(folder: Folder = options.DEVNET_FOLDER, as_json: options.AsJson = False) -> None:
    """Stop every process of the network."""
    network = Devnet(folder)
    was_running = network.running
    network.down()
    output.result({"stopped": was_running}, as_json=as_json)


@app.command()
def status(folder: Folder = options.DEVNET_FOLDER, as_json: options.AsJson = False) -> None:
    """Say which processes live, and where; exit code 1 when none does."""
    network = Devnet(folder)
    output.result(_described(network), as_json=as_json)
    raise typer.Exit(0 if network.running else 1)


def _described(network: Devnet) -> dict[str, object]:
    profiles = {name: str(network.layout.profile(name)) for name in ("clinic", "reader")}
    return {**network.status(), "profiles": profiles}
