"""Signs calls ahead of time and for any account, which the SDK does not: it signs when it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from substrateinterface import Keypair, SubstrateInterface

from caregrid.chain.scale import type_registry
from tests.bench.chain import nodes
from tests.bench.chain.nodes import Block
from tests.integration.node_process import Node, poll

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.chain import Call

Signed = tuple[Keypair, "Call"]

#: Blocks that a signature is good for.
ERA_PERIOD: Final = 64
#: Without a new block for so long something is wrong. A slot is 2 s; a busy machine misses some.
BLOCK_TIMEOUT_S: Final = 30.0
#: Names of events that tell of something that did not come about.
_FAILURES: Final = ("Failed", "Rejected", "Interrupted")
_OWN: Final = ("Emr", "Threats")


class Signer:
    """One client of a node; counts the nonces of all accounts that it signs for."""

    def __init__(self, node: Node) -> None:
        """Connect and load the runtime's metadata."""
        self._node = node
        self._client = SubstrateInterface(
            url=nodes.url(node), auto_discover=False, type_registry=type_registry()
        )
        self._client.init_runtime()
        self._nonces: dict[str, int] = {}

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    def sign(self, calls: Sequence[Signed]) -> list[str]:
        """Return the calls as extrinsics, in hex."""
        born = self._node.best()
        return [self._extrinsic(keypair, call, born) for keypair, call in calls]

    def constant(self, pallet: str, name: str) -> Any:
        """Return a constant of the runtime."""
        return self._client.get_constant(pallet, name).value

    def check(self, blocks: Sequence[Block], expected: int) -> None:
        """Check that nothing failed in blocks and that CareGrid's pallets told of so much, or more."""
        events = [event.value for block in blocks for event in self._client.get_events(block.hash)]
        bad = [event for event in events if any(word in event["event_id"] for word in _FAILURES)]
        assert not bad, bad[0]
        told = [event for event in events if event["module_id"] in _OWN]
        assert len(told) >= expected, (len(told), expected)

    def _extrinsic(self, keypair: Keypair, call: Call, born: int) -> str:
        composed = self._client.compose_call(call.pallet, call.function, dict(call.params))
        extrinsic = self._client.create_signed_extrinsic(
            composed,
            keypair,
            era={"period": ERA_PERIOD, "current": born},
            nonce=self._next_nonce(keypair.ss58_address),
        )
        return str(extrinsic.data.to_hex())

    def _next_nonce(self, address: str) -> int:
        if address not in self._nonces:
            self._nonces[address] = self._node.rpc("system_accountNextIndex", address)
        self._nonces[address] += 1
        return self._nonces[address] - 1


def include(node: Node, extrinsics: Sequence[str]) -> list[Block]:
    """Submit extrinsics and return the blocks of the best chain that hold them, when all of them are in."""
    number = node.best()
    for extrinsic in extrinsics:
        node.rpc("author_submitExtrinsic", extrinsic)
    missing, found, last = set(extrinsics), list[Block](), number + ERA_PERIOD
    while missing:
        number += 1
        assert number <= last, f"{len(missing)} of {len(extrinsics)} are in no block"
        block = next_block(node, number)
        if missing & set(block.extrinsics):
            found.append(block)
        missing.difference_update(block.extrinsics)
    return found


def next_block(node: Node, number: int) -> Block:
    """Wait for the block of a number on the best chain and return it."""
    assert poll(lambda: node.best() >= number, BLOCK_TIMEOUT_S), f"there is no block {number}"
    return nodes.block_at(node, number)
