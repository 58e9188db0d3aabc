"""Object storage: the port, its adapters, and the coding that CESS applies to content."""

from caregrid.storage.deoss import DeossStore
from caregrid.storage.failover import FailoverPolicy, FailoverStore, GatewayState, open_store
from caregrid.storage.file_id import FileIdHasher, file_id_of
from caregrid.storage.memory import MemoryObjectStore
from caregrid.storage.port import (
    Fragment,
    NodeState,
    ObjectStat,
    ObjectStore,
    Placement,
    Repair,
    SegmentFragments,
    SizedStream,
    Source,
    StoredEntry,
)
from caregrid.storage.progress import Progress
from caregrid.storage.territory import (
    Territory,
    TerritoryConcern,
    TerritoryLimits,
    TerritoryState,
    TerritoryWarning,
)
from caregrid.storage.transfers import TransferPolicy

__all__ = [
    "DeossStore",
    "FailoverPolicy",
    "FailoverStore",
    "FileIdHasher",
    "Fragment",
    "GatewayState",
    "MemoryObjectStore",
    "NodeState",
    "ObjectStat",
    "ObjectStore",
    "Placement",
    "Progress",
    "Repair",
    "SegmentFragments",
    "SizedStream",
    "Source",
    "StoredEntry",
    "Territory",
    "TerritoryConcern",
    "TerritoryLimits",
    "TerritoryState",
    "TerritoryWarning",
    "TransferPolicy",
    "file_id_of",
    "open_store",
]
