"""Whether the weight of each call covers the time that it takes.

A block that holds calls of one kind only is executed again by the node, on its parent's state, by the runtime
API `Core_execute_block`: signatures, calls and the state's new root, but no write to the database. What an
idle block takes is taken off. The weight is what the block charged.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import TYPE_CHECKING, Final

from tests.bench.chain import sizes
from tests.integration.node_process import http_exchange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.chain.nodes import Block
    from tests.integration.node_process import Node

#: The median of so many runs is taken.
REPEATS: Final = 15
PICOSECONDS: Final = 1e12


class Scale:
    """Weighs blocks of one node."""

    def __init__(self, node: Node, idle: Block) -> None:
        """Take an idle block to compare the others with."""
        self._node = node
        self._idle = _execution(idle)

    def ratio(self, blocks: Sequence[Block]) -> float:
        """Return the weight of all signed calls of some blocks, divided by the time that they take."""
        weight = sum(sizes.signed_weight(self._node, block.hash) for block in blocks)
        return weight / PICOSECONDS / sum(self._seconds(block) for block in blocks)

    def _seconds(self, block: Block) -> float:
        """Return what a block takes longer than an idle one, run in turn: so other work slows both down."""
        request = _execution(block)
        return statistics.median(self._timed(request) - self._timed(self._idle) for _ in range(REPEATS))

    def _timed(self, request: str) -> float:
        begun = time.perf_counter()
        answer = http_exchange(self._node.rpc_port, "POST", "/", request)
        seconds = time.perf_counter() - begun
        assert "error" not in json.loads(answer), answer
        return seconds


def _execution(block: Block) -> str:
    """Return the request that has a block executed again."""
    request = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "state_call",
        "params": ["Core_execute_block", "0x" + block.encoded.hex(), block.parent],
    }
    return json.dumps(request)
