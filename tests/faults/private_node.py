"""A node for one test alone, which may be killed or upgraded."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.integration.node_process import Node, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def private_node(program: Path, folder: Path) -> Iterator[Node]:
    """Run a node that builds and finalizes blocks alone, with its database in the folder."""
    rpc_port, port = free_ports(2)
    places = [f"--base-path={folder / 'chain'}", f"--listen-addr=/ip4/127.0.0.1/tcp/{port}"]
    node = Node(
        name="private",
        program=program,
        folder=folder,
        rpc_port=rpc_port,
        options=["--dev", "--no-prometheus", *places],
    )
    node.start()
    try:
        node.wait_ready()
        yield node
    finally:
        node.stop()


def url_of(node: Node) -> str:
    """Return where its WebSocket is."""
    return f"ws://127.0.0.1:{node.rpc_port}"
