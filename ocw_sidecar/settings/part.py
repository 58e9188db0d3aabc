"""The form of a group of settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """Settings that belong together: `CAREGRID_NAME__SETTING`, or a TOML table `[name]`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
