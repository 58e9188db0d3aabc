"""How long a node takes to check and import the blocks of another."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from tests.bench.chain import nodes

if TYPE_CHECKING:
    from tests.integration.node_process import Node

#: Time in the import queue: checks of header and seal, execution, and the write to the database.
_METRIC: Final = "substrate_block_verification_and_import_time"
#: Well below the import of a full block, so that two of them seldom fall between two looks.
_LOOK_INTERVAL_S: Final = 0.02
SYNC_TIMEOUT_S: Final = 120.0


def slowest_import(node: Node, peer: Node) -> float:
    """Let a new node follow a peer and return the seconds that the slowest of the peer's blocks took.

    Where several blocks fall between two looks at the metric, they count as one: the figure can only be too
    high.
    """
    target, deadline = peer.best(), time.monotonic() + SYNC_TIMEOUT_S
    slowest, before = 0.0, nodes.metric(node, f"{_METRIC}_sum")
    # Only now: with a boot node it would begin before we look.
    node.rpc("system_addReservedPeer", nodes.address(peer))
    while node.best() < target:
        assert time.monotonic() < deadline, f"the follower is at block {node.best()} of {target}"
        time.sleep(_LOOK_INTERVAL_S)
        total = nodes.metric(node, f"{_METRIC}_sum")
        slowest, before = max(slowest, total - before), total
    return slowest
