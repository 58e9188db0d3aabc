"""A reader of the CESS chain: files, miners, their audits, restoral orders, territories."""

from __future__ import annotations

from caregrid.cess.audits import AuditReading, CessChallenge, MinerAudit, ServiceProof, reading_of
from caregrid.cess.chain import CessChain, LocatedFile
from caregrid.cess.files import (
    CessFile,
    CessFragment,
    CessSegment,
    Deal,
    DealReport,
    DealSegment,
    FileOwner,
    FileState,
    HeldFile,
    RestoralOrder,
)
from caregrid.cess.heads import CessHead
from caregrid.cess.miners import Miner, MinerState
from caregrid.cess.placement import fragments_of, miners_of, placement_of
from caregrid.cess.territories import CessTerritory, CessTerritoryState, space_of
from caregrid.cess.verdicts import FileAudit, verdict_of

__all__ = [
    "AuditReading",
    "CessChain",
    "CessChallenge",
    "CessFile",
    "CessFragment",
    "CessHead",
    "CessSegment",
    "CessTerritory",
    "CessTerritoryState",
    "Deal",
    "DealReport",
    "DealSegment",
    "FileAudit",
    "FileOwner",
    "FileState",
    "HeldFile",
    "LocatedFile",
    "Miner",
    "MinerAudit",
    "MinerState",
    "RestoralOrder",
    "ServiceProof",
    "fragments_of",
    "miners_of",
    "placement_of",
    "reading_of",
    "space_of",
    "verdict_of",
]
