"""What a node does that was told nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import show_log
from tests.integration.node_process import Node, free_ports, http_exchange, start_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "chain-spec/development.raw.json"
#: Where a chain keeps its runtime: the well-known storage key `:code`.
CODE_KEY = "0x" + b":code".hex()
#: The P2P port is no default under test, and these nodes need no peers: any port, on loopback.
ALONE = "--listen-addr=/ip4/127.0.0.1/tcp/0"


@pytest.fixture(scope="module")
def prometheus_port() -> int:
    """The port of the `--dev` node's metrics."""
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def shared_dev_node(
    node_program: Path, tmp_path_factory: pytest.TempPathFactory, prometheus_port: int
) -> Iterator[Node]:
    """A `--dev` node whose defaults stand, but for the ports: those may be taken."""
    folder = tmp_path_factory.mktemp("dev")
    options = ["--dev", ALONE, f"--base-path={folder}", f"--prometheus-port={prometheus_port}"]
    (rpc_port,) = free_ports(1)
    node = Node(name="dev", program=node_program, folder=folder, options=options, rpc_port=rpc_port)
    try:
        start_all([node])
        yield node
    finally:
        node.stop()


@pytest.fixture
def dev_node(shared_dev_node: Node, request: pytest.FixtureRequest) -> Iterator[Node]:
    """The module's `--dev` node; a failed test shows its log."""
    yield shared_dev_node
    show_log(request, shared_dev_node)


def test_rpc_listens_on_loopback_only(dev_node: Node) -> None:
    """Nobody but this machine reaches the RPC of a node that was not told otherwise."""
    addresses = [address for address, port in dev_node.listens_on() if dev_node.rpc_port == port]
    assert addresses
    assert all(address.is_loopback for address in addresses)


def test_prometheus_is_on_and_on_loopback_only(dev_node: Node, prometheus_port: int) -> None:
    """A node that was not told otherwise gives its metrics, and to this machine only."""
    addresses = [str(address) for address, port in dev_node.listens_on() if prometheus_port == port]
    assert ["127.0.0.1"] == addresses
    assert "substrate_block_height" in http_exchange(prometheus_port, "GET", "/metrics")


def test_dev_keeps_parity_db_and_leaves_nothing_behind(
    node_program: Path, tmp_path: Path, run: Callable[[Sequence[Node]], None]
) -> None:
    """A `--dev` node without a base path has its ParityDB in a temporary folder, gone when it has stopped."""
    places = {name: tmp_path / name for name in ("HOME", "TMPDIR", "XDG_DATA_HOME")}
    for place in places.values():
        place.mkdir()
    node = Node(
        name="dev",
        program=node_program,
        folder=tmp_path,
        options=["--dev", ALONE, "--no-prometheus"],
        rpc_port=free_ports(1)[0],
        environment={name: str(place) for name, place in places.items()},
    )
    run([node])
    (database,) = places["TMPDIR"].glob("*/chains/caregrid_dev/*/full")
    assert "paritydb" == database.parent.name
    assert (database / "metadata").is_file()
    node.stop()
    assert [] == [left for place in places.values() for left in place.iterdir()]


def test_the_committed_spec_is_the_dev_chain(
    node_program: Path, dev_node: Node, tmp_path: Path, run: Callable[[Sequence[Node]], None]
) -> None:
    """`--chain` with the committed raw spec gives the same genesis block as `--dev`."""
    options = [f"--chain={spec_for(dev_node, tmp_path)}", ALONE, f"--base-path={tmp_path}", "--no-prometheus"]
    node = Node(
        name="by-spec", program=node_program, folder=tmp_path, options=options, rpc_port=free_ports(1)[0]
    )
    run([node])
    assert dev_node.hashes(0) == node.hashes(0)


def spec_for(node: Node, folder: Path) -> Path:
    """Return the committed raw spec, or a copy with the node's WASM where other compilers made that.

    The WASM's bytes depend on its compilers (docs/adr/0006-rust-builds.md), and the genesis depends on them.
    """
    spec = json.loads(SPEC.read_text())
    top = spec["genesis"]["raw"]["top"]
    code = node.rpc("state_getStorage", CODE_KEY, node.hashes(0)[0])
    if top[CODE_KEY] == code:
        return SPEC
    top[CODE_KEY] = code
    copy = folder / SPEC.name
    copy.write_text(json.dumps(spec))
    return copy
