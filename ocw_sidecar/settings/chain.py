"""How the sidecar submits to the chain."""

from __future__ import annotations

from pydantic import Field

from caregrid.chain.batching import AGE_S, SIZE, UNDER_WAY
from ocw_sidecar.settings.part import Part


class ChainSettings(Part):
    """All workers submit together: a batch goes out when it is full, or when it is old enough."""

    batch_size: int = Field(default=SIZE, ge=1, le=1024)  #: calls
    batch_age_s: float = Field(default=AGE_S, ge=0, le=10)  #: the longest that a call waits for others
    batches_under_way: int = Field(default=UNDER_WAY, ge=1, le=256)  #: on their way to finality at once
