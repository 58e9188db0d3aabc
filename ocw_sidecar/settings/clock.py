"""How the sidecar follows the chain."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from ocw_sidecar.settings.part import Part


class ClockSettings(Part):
    """Intervals in blocks, rates and durations in seconds."""

    start_block: int | None = Field(default=None, ge=1)  #: first start: from this block on, not from the head
    storage_health_every: PositiveInt = 100
    integrity_every: PositiveInt = 50
    catch_up_rate: PositiveFloat = 250.0  #: blocks a second, at most, while behind
    on_discarded_state: Literal["stop", "rebuild"] = "stop"  #: when no node keeps what was missed
    near_head: int = Field(default=2, ge=0)  #: that many blocks behind counts as caught up
    retry_s: PositiveFloat = 1.0  #: after a failed look at the chain; doubled up to `retry_limit_s`
    retry_limit_s: PositiveFloat = 30.0
