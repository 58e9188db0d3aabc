"""Twins in memory of what CareGrid talks to, for tests of what builds on the ports.

:class:`MemoryChain` follows the rules of pallet-emr and pallet-threats on who may do what, what is refused
and what expires, but knows no fees and no deposits.
"""

from caregrid.keys import MemoryKeyStore
from caregrid.storage import MemoryObjectStore
from caregrid.testing.chain import MemoryChain, MemorySubmitter, SubmitFault

__all__ = ["MemoryChain", "MemoryKeyStore", "MemoryObjectStore", "MemorySubmitter", "SubmitFault"]
