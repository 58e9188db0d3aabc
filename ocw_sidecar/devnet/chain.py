"""The chain of a development network: the real node, or chopsticks, which executes the same runtime.

Chopsticks (npm) needs no Rust build. It has no networking and no consensus: each block is final when built.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caregrid.errors import ConfigInvalid
from ocw_sidecar.devnet import processes

if TYPE_CHECKING:
    from pathlib import Path

    from ocw_sidecar.devnet.layout import DevnetLayout
    from ocw_sidecar.devnet.processes import Process


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainParts:
    """What to run."""

    node: Path | None = None  #: the node's executable
    chopsticks: Path | None = None  #: the folder with chopsticks' node_modules
    chain_spec: Path | None = None  #: the raw chain spec for chopsticks


def start(parts: ChainParts, layout: DevnetLayout, port: int) -> Process:
    """Start the chain on a loopback port; the node when there is one.

    Raises:
        ConfigInvalid: there is neither a node nor chopsticks; the message says how to get one.
        PortTaken: somebody listens on the port.
    """
    processes.require_free(port)
    layout.chain.mkdir(parents=True, exist_ok=True)
    command = _node(parts.node, layout, port) if parts.node else _chopsticks(parts, layout, port)
    log = layout.logs / "chain.log"
    return processes.start("chain", command, log=log, url=f"ws://127.0.0.1:{port}")


def _node(node: Path, layout: DevnetLayout, port: int) -> list[str]:
    if not node.is_file():
        raise ConfigInvalid(f"there is no node at {node}; `scripts/build-node` builds it")
    return [
        str(node),
        "--dev",
        # After a pause the clock reads the events of all blocks meanwhile, and they lie in state.
        "--state-pruning=archive",
        f"--base-path={layout.chain}",
        f"--rpc-port={port}",
        "--rpc-max-connections=1000",
        "--port=0",
        "--no-prometheus",
        "--no-telemetry",
    ]


def _chopsticks(parts: ChainParts, layout: DevnetLayout, port: int) -> list[str]:
    program = None if parts.chopsticks is None else parts.chopsticks / "node_modules/.bin/chopsticks"
    if program is None or not program.exists() or parts.chain_spec is None:
        raise ConfigInvalid("there is no chain to start; `scripts/setup` installs one")
    javascript = shutil.which("node")
    if javascript is None:
        raise ConfigInvalid("Node.js is not installed; install Node.js 20, or build the node")
    config = layout.chain / "chopsticks.json"
    config.write_text(
        json.dumps(
            {
                "genesis": str(parts.chain_spec.resolve()),
                "host": "127.0.0.1",
                "port": port,
                "build-block-mode": "Instant",
            }
        )
    )
    # Not by npx, which leaves child processes behind.
    return [javascript, str(program), f"--config={config}"]
