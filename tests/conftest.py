"""What tests of all tiers share."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocw_sidecar.devnet.chain import ChainParts

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A node opens its database and compiles the runtime; a busy machine takes longer.
NODE_START_TIMEOUT_S = 60.0


@pytest.fixture(scope="session")
def node_program() -> Path:
    """The node built from this source; `scripts/test` builds it and says where it is."""
    named = os.environ.get("CAREGRID_NODE")
    if named is None:
        pytest.fail("CAREGRID_NODE does not name the node; run `scripts/test`")
    return Path(named)


@pytest.fixture(scope="session")
def node_parts(node_program: Path) -> ChainParts:
    """The real node as the chain of a development network."""
    return ChainParts(node=node_program)


@pytest.fixture(scope="session")
def node_url(node_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real node that runs the real runtime on a chain of its own."""
    port, folder = _free_port(), tmp_path_factory.mktemp("node")
    command = [
        str(node_program),
        "--dev",
        f"--base-path={folder}",
        f"--rpc-port={port}",
        "--port=0",
        "--no-prometheus",
        "--no-telemetry",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for_port(port, process)
        yield f"ws://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(NODE_START_TIMEOUT_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + NODE_START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the node did not start")
