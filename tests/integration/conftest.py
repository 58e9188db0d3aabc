"""What tests of whole nodes share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.node_process import Node, start_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Iterator[Callable[[Sequence[Node]], None]]:
    """Starts nodes and stops them after the test; a failed test shows their logs."""
    started: list[Node] = []

    def start(nodes: Sequence[Node]) -> None:
        started.extend(nodes)
        start_all(nodes)

    yield start
    for node in started:
        node.stop()
        show_log(request, node)


def show_log(request: pytest.FixtureRequest, node: Node) -> None:
    """Put a node's log into the test's report, which pytest prints when the test failed."""
    request.node.add_report_section("teardown", f"log of {node.name}", node.log)
