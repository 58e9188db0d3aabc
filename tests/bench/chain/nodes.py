"""The nodes that the bench measures, and their blocks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.acceptance.outsider.scale import Cursor, compact
from tests.integration.node_process import Node, free_ports, http_exchange

#: How the digest of a sealed header ends: variant 5 of `DigestItem`, put there after the block was executed.
_SEAL: Final = "0x05"


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A block as it is executed: without its seal."""

    number: int
    hash: str
    parent: str
    extrinsics: tuple[str, ...]  #: the first is the time, by its author
    encoded: bytes


def validator(folder: Path, name: str = "validator", *more: str) -> Node:
    """Return a `--dev` node, not started yet: it builds and finalizes blocks alone."""
    return _node(folder, name, "--dev", "--rpc-max-connections=1000", *more)


def follower(folder: Path) -> Node:
    """Return a node of the same chain that builds no blocks and knows nobody; not started yet."""
    return _node(folder, "follower", "--chain=dev")


def address(node: Node) -> str:
    """Return where a running node's peers find it."""
    return f"{_option(node, 'listen-addr')}/p2p/{node.rpc('system_localPeerId')}"


def url(node: Node) -> str:
    """Return where a node's WebSocket is."""
    return f"ws://127.0.0.1:{node.rpc_port}"


def metric(node: Node, name: str) -> float:
    """Return a node's metric: the sum over its labels."""
    text = http_exchange(int(_option(node, "prometheus-port")), "GET", "/metrics")
    samples = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return sum(float(value) for key, _, value in samples if key.partition("{")[0] == name)


def database(node: Node) -> Path:
    """Return the folder of a node's database."""
    return Path(_option(node, "base-path")) / "chains/caregrid_dev/paritydb/full"


def block_at(node: Node, number: int) -> Block:
    """Return a block of the best chain."""
    block_hash = node.rpc("chain_getBlockHash", number)
    block = node.rpc("chain_getBlock", block_hash)["block"]
    header, extrinsics = block["header"], tuple(block["extrinsics"])
    body = compact(len(extrinsics)) + b"".join(raw_bytes(one) for one in extrinsics)
    return Block(
        number=number,
        hash=block_hash,
        parent=header["parentHash"],
        extrinsics=extrinsics,
        encoded=_encode_header(header) + body,
    )


def read_compact(data: bytes) -> tuple[int, bytes]:
    """Return the compact integer that data begins with, and the rest."""
    cursor = Cursor(data)
    return cursor.compact(), cursor.rest()


def raw_bytes(text: str) -> bytes:
    """Return the bytes that a node writes as hex."""
    return bytes.fromhex(text.removeprefix("0x"))


def _encode_header(header: dict[str, Any]) -> bytes:
    logs = [raw_bytes(log) for log in header["digest"]["logs"] if not log.startswith(_SEAL)]
    return b"".join(
        (
            raw_bytes(header["parentHash"]),
            compact(int(header["number"], 16)),
            raw_bytes(header["stateRoot"]),
            raw_bytes(header["extrinsicsRoot"]),
            compact(len(logs)),
            *logs,
        )
    )


def _node(folder: Path, name: str, *options: str) -> Node:
    rpc_port, port, metrics_port = free_ports(3)
    places = [
        f"--base-path={folder / name}",
        f"--listen-addr=/ip4/127.0.0.1/tcp/{port}",
        f"--prometheus-port={metrics_port}",
    ]
    return Node(
        name=name,
        # `scripts/bench` builds it and says where it is.
        program=Path(os.environ["CAREGRID_NODE"]),
        folder=folder,
        rpc_port=rpc_port,
        options=[*options, *places],
    )


def _option(node: Node, name: str) -> str:
    return next(one.partition("=")[2] for one in node.options if one.startswith(f"--{name}="))
