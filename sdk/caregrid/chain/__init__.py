"""The chain: its port, the calls that can be made, and the adapter that talks to a Substrate node.

The adapter's modules load their libraries on first use, so importing this package is cheap.
"""

from __future__ import annotations

from caregrid.chain import calls
from caregrid.chain.connection import Connection
from caregrid.chain.port import (
    BlockRef,
    Call,
    Chain,
    EncryptionKey,
    Escrowed,
    Event,
    FinalizedBlock,
    Grant,
    Inline,
    KeyState,
    Organisation,
    Patient,
    PatientScope,
    Pending,
    Receipt,
    Record,
    RecordScope,
    Scope,
    StoredObject,
    Submitter,
)
from caregrid.chain.reader import SubstrateChain
from caregrid.chain.submitter import SubstrateSubmitter

__all__ = [
    "BlockRef",
    "Call",
    "Chain",
    "Connection",
    "EncryptionKey",
    "Escrowed",
    "Event",
    "FinalizedBlock",
    "Grant",
    "Inline",
    "KeyState",
    "Organisation",
    "Patient",
    "PatientScope",
    "Pending",
    "Receipt",
    "Record",
    "RecordScope",
    "Scope",
    "StoredObject",
    "Submitter",
    "SubstrateChain",
    "SubstrateSubmitter",
    "calls",
]
