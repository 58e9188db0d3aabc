"""What a gateway is told when it starts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from caregrid.errors import ConfigInvalid
from caregrid.storage.file_id import MAX_SEGMENTS, SEGMENT_SIZE
from storage_network.gateway.journal import ABANDONED_AGE_S
from storage_network.gateway.moving import MoveSettings
from storage_network.gateway.uploads import UploadLimits

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

#: What CESS allows.
DEFAULT_MAX_OBJECT_SIZE: Final = MAX_SEGMENTS * SEGMENT_SIZE
#: Requests a minute of one account: what the stock gateway allows everybody together.
DEFAULT_ACCOUNT_RATE: Final = 6_000
#: Requests a minute from one address, signed or not; several accounts may come from one.
DEFAULT_ADDRESS_RATE: Final = 60_000
#: With less free disk than this, no upload is begun.
DEFAULT_MIN_FREE: Final = 1024**3
#: Between two fragments that the gateway itself reads, as a sample, from each node.
DEFAULT_AUDIT_INTERVAL_S: Final = 60.0


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
    token: str | None  #: what the nodes ask for, if they do
    nodes_tls: ssl.SSLContext | None = None  #: how the nodes are asked; None: without TLS
    max_object_size: int = DEFAULT_MAX_OBJECT_SIZE  #: bytes
    require_expiry: bool = False  #: refuse signed messages that never expire, as those of the stock SDK
    require_territories: bool = False  #: refuse uploads without space that an operator has given
    account_rate: int = DEFAULT_ACCOUNT_RATE
    address_rate: int = DEFAULT_ADDRESS_RATE
    min_free: int = DEFAULT_MIN_FREE  #: bytes
    uploads: UploadLimits = field(default_factory=UploadLimits)
    abandoned_age_s: float = ABANDONED_AGE_S  #: then what a failed upload left on nodes is deleted
    audit_interval_s: float = DEFAULT_AUDIT_INTERVAL_S  #: 0: no samples are read
    moving: MoveSettings = field(default_factory=MoveSettings)


def read_nodes(path: Path) -> tuple[NodeAddress, ...]:
    """Return the storage nodes that a JSON file lists as `[{"node": name, "url": url}, ...]`.

    Raises:
        ConfigInvalid: the file cannot be read, has another shape, or names a node twice.
    """
    try:
        nodes = [
            NodeAddress(node=str(entry["node"]), url=str(entry["url"]).rstrip("/"))
            for entry in json.loads(path.read_text())
        ]
    except (OSError, ValueError, TypeError, LookupError) as exc:
        raise ConfigInvalid('the nodes file must hold [{"node": name, "url": url}, ...]') from exc
    if len({address.node for address in nodes}) != len(nodes):
        raise ConfigInvalid("the nodes file names a node twice")
    return tuple(sorted(nodes, key=lambda address: address.node))
