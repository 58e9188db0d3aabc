"""What a fault means for the item it happened to."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from caregrid.errors import CallRejected, CaregridError, Recoverable
from ocw_sidecar.pipeline.backoff import PASSING_FAULT, REFUSAL

if TYPE_CHECKING:
    from ocw_sidecar.pipeline.backoff import Backoff

UNEXPECTED = "UNEXPECTED"


def policy_for(fault: Exception) -> Backoff:
    """Return how to go on: outages are waited out, everything else is tried a few times."""
    return PASSING_FAULT if isinstance(fault, Recoverable | OSError) else REFUSAL


def reason_of(fault: Exception) -> str:
    """Return a short, constant name for a fault; never its message, which might quote content."""
    if isinstance(fault, CallRejected):
        return f"{fault.code}:{fault.pallet}.{fault.name}"
    return fault.code if isinstance(fault, CaregridError) else UNEXPECTED


def place_of(fault: Exception) -> str:
    """Return where a fault was raised, as `file:line`; for logs, where a message could quote content."""
    frames = traceback.extract_tb(fault.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"
