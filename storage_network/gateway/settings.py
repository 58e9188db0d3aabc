"""What a gateway is told when it starts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from caregrid.errors import ConfigInvalid
from caregrid.storage.file_id import MAX_SEGMENTS, SEGMENT_SIZE

if TYPE_CHECKING:
    from pathlib import Path

#: What CESS allows.
DEFAULT_MAX_OBJECT_SIZE: Final = MAX_SEGMENTS * SEGMENT_SIZE


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeAddress:
    """One storage node."""

    node: str  #: name, the same for as long as the node keeps its disk
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewaySettings:
    """Settings of one gateway."""

    root: Path
    nodes: tuple[NodeAddress, ...]
    token: str
    max_object_size: int = DEFAULT_MAX_OBJECT_SIZE  #: bytes
    require_expiry: bool = False  #: refuse signed messages that never expire, as those of the stock SDK


def read_nodes(path: Path) -> tuple[NodeAddress, ...]:
    """Return the storage nodes that a JSON file lists as `[{"node": name, "url": url}, ...]`.

    Raises:
        ConfigInvalid: the file cannot be read, has another shape, or names a node twice.
    """
    try:
        nodes = [
            NodeAddress(node=str(entry["node"]), url=str(entry["url"]))
            for entry in json.loads(path.read_text())
        ]
    except (OSError, ValueError, TypeError, LookupError) as exc:
        raise ConfigInvalid('the nodes file must hold [{"node": name, "url": url}, ...]') from exc
    if len({address.node for address in nodes}) != len(nodes):
        raise ConfigInvalid("the nodes file names a node twice")
    return tuple(sorted(nodes, key=lambda address: address.node))
