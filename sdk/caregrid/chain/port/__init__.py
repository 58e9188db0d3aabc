"""The chain as the rest of CareGrid sees it: facts at finalized blocks, and calls signed by one account.

Reads answer from the last *finalized* block. Heights are block numbers, never times.
"""

from __future__ import annotations

from caregrid.chain.port.access import (
    AccessRequest,
    EmergencyReason,
    Escrowed,
    Expirable,
    ExpirableGrant,
    ExpirableRequest,
    ExpiringPage,
    ExpiryCursor,
    Grant,
    GrantCursor,
    GrantPage,
    Inline,
    KeyDelivery,
    KeyState,
    PatientScope,
    Pending,
    Purpose,
    RecordScope,
    Scope,
)
from caregrid.chain.port.blocks import BlockRef, Call, Event, FinalizedBlock, Receipt
from caregrid.chain.port.parties import EncryptionKey, Organisation, Patient
from caregrid.chain.port.reads import Chain
from caregrid.chain.port.records import LiveRecord, Record, RecordPage, RecordView, StoredObject, Tombstone
from caregrid.chain.port.storage import (
    FULL_HEALTH,
    AuditOutcome,
    HealthReport,
    Integrity,
    IntegrityReport,
    ProofCommitment,
    ProofScheme,
    StorageHealth,
)
from caregrid.chain.port.submits import Submitter
from caregrid.chain.port.threats import (
    AttackSignature,
    BlockReason,
    IpBlock,
    IpBlockPage,
    IpNet,
    Severity,
    SignatureFormat,
    SignaturePage,
    network_of,
)

__all__ = [
    "FULL_HEALTH",
    "AccessRequest",
    "AttackSignature",
    "AuditOutcome",
    "BlockReason",
    "BlockRef",
    "Call",
    "Chain",
    "EmergencyReason",
    "EncryptionKey",
    "Escrowed",
    "Event",
    "Expirable",
    "ExpirableGrant",
    "ExpirableRequest",
    "ExpiringPage",
    "ExpiryCursor",
    "FinalizedBlock",
    "Grant",
    "GrantCursor",
    "GrantPage",
    "HealthReport",
    "Inline",
    "Integrity",
    "IntegrityReport",
    "IpBlock",
    "IpBlockPage",
    "IpNet",
    "KeyDelivery",
    "KeyState",
    "LiveRecord",
    "Organisation",
    "Patient",
    "PatientScope",
    "Pending",
    "ProofCommitment",
    "ProofScheme",
    "Purpose",
    "Receipt",
    "Record",
    "RecordPage",
    "RecordScope",
    "RecordView",
    "Scope",
    "Severity",
    "SignatureFormat",
    "SignaturePage",
    "StorageHealth",
    "StoredObject",
    "Submitter",
    "Tombstone",
    "network_of",
]
