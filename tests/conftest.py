"""What tests of all tiers share."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from ocw_sidecar.devnet import DevnetLayout, chain, processes
from ocw_sidecar.devnet.chain import ChainParts
from storage_network.launch import wait_until
from tests.databases import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres_server import PostgresServer

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
def node_url(node_parts: ChainParts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real node that runs the real runtime on a chain of its own."""
    layout = DevnetLayout(tmp_path_factory.mktemp("node"))
    process = chain.start(node_parts, layout, processes.free_port())
    try:
        assert wait_until(lambda: _listens(process.url) or not process.alive, NODE_START_TIMEOUT_S)
        assert process.alive, (layout.logs / "chain.log").read_text()
        yield process.url
    finally:
        process.stop()
        processes.collect()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL that does not wait for the disk; each test takes a database of its own."""
    with running_server() as server:
        yield server


def _listens(url: str) -> bool:
    address = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((str(address.hostname), address.port or 0)) == 0
