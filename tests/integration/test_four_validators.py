"""Four validators under `kill -9`: what is final stays final, and finality needs three of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.integration.node_process import poll, start_all, validators

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.integration.node_process import Node

#: Slots are 2 s, and finality is one or two of them behind the best block; a starved machine misses slots.
FINALITY_TIMEOUT_S: Final = 60.0
#: Nodes that come back connect, fetch the missing blocks and vote through the rounds that they missed.
CATCH_UP_TIMEOUT_S: Final = 90.0
#: A block that far above the best one is built after what was just done, by those who are still there.
FRESH: Final = 3
#: Two authors out of four need 8 s for three blocks. Votes of a killed validator are no longer under way
#: then: they travel in milliseconds, and a voting round takes a second or two.
SETTLED: Final = 3
#: For so many blocks none may become final. Two authors out of four need 16 s for them, and that is long
#: enough: where three vote, a block is final within two slots, 4 s. Blocks are counted, not seconds, since a
#: machine too busy to vote in that time is too busy to build them, too.
OBSERVED: Final = 4
OBSERVATION_TIMEOUT_S: Final = 90.0


def final_chain(node: Node) -> dict[int, str | None]:
    """Return the hashes of all blocks that a node holds for final, by number."""
    return node.hashes(node.final())


def wait_for_final(nodes: Sequence[Node], number: int, timeout_s: float) -> None:
    """Wait until a block of that number is final on every node."""
    reached = poll(lambda: all(node.final() >= number for node in nodes), timeout_s)
    assert reached, (number, {node.name: node.final() for node in nodes})


def wait_for_best(nodes: Sequence[Node], number: int, timeout_s: float) -> None:
    """Wait until every node has a block of that number, final or not."""
    reached = poll(lambda: all(node.best() >= number for node in nodes), timeout_s)
    assert reached, (number, {node.name: node.best() for node in nodes})


def best_of(nodes: Sequence[Node]) -> int:
    """Return the number of the best block that any of the nodes has."""
    return max(node.best() for node in nodes)


def watch_halt(nodes: Sequence[Node]) -> dict[int, str | None]:
    """Check that nodes go on building blocks but finalize none; return the blocks that wait, by number."""
    wait_for_best(nodes, best_of(nodes) + SETTLED, FINALITY_TIMEOUT_S)
    halted = [final_chain(node) for node in nodes]
    target = best_of(nodes) + OBSERVED

    def grown() -> bool:
        first, *others = (node.hashes(target) for node in nodes)
        assert halted == [final_chain(node) for node in nodes]
        # A late block can be passed over by the next author; the block after that decides between the two.
        return first[target] is not None and all(first == other for other in others)

    assert poll(grown, OBSERVATION_TIMEOUT_S), f"no block {target} that all have"
    return {number: block for number, block in nodes[0].hashes(target).items() if number not in halted[0]}


def test_finality_needs_three_of_four(
    node_program: Path, tmp_path: Path, run: Callable[[Sequence[Node]], None]
) -> None:
    """Finality survives one kill of four, waits after two, and goes on where it was when both are back."""
    four = validators(node_program, tmp_path)
    *three, dave = four
    *two, charlie = three
    run(four)
    wait_for_final(four, FRESH, FINALITY_TIMEOUT_S)
    seen = [final_chain(node) for node in four]

    dave.kill()
    wait_for_final(three, best_of(three) + FRESH, FINALITY_TIMEOUT_S)
    seen += [final_chain(node) for node in three]

    charlie.kill()
    waiting = watch_halt(two)
    seen += [final_chain(node) for node in two]

    start_all([charlie, dave])
    wait_for_final(four, max(waiting), CATCH_UP_TIMEOUT_S)
    wait_for_final(four, best_of(four) + FRESH, FINALITY_TIMEOUT_S)
    last = min(node.final() for node in four)
    first, *others = (node.hashes(last) for node in four)
    assert [first] * 3 == others
    assert all(chain.items() <= first.items() for chain in [*seen, waiting])
