"""Object storage: the port, its adapters, and the coding that CESS applies to content."""

from caregrid.storage.deoss import DeossStore
from caregrid.storage.file_id import FileIdHasher, file_id_of
from caregrid.storage.memory import MemoryObjectStore
from caregrid.storage.port import ObjectStat, ObjectStore, Placement, Repair

__all__ = [
    "DeossStore",
    "FileIdHasher",
    "MemoryObjectStore",
    "ObjectStat",
    "ObjectStore",
    "Placement",
    "Repair",
    "file_id_of",
]
