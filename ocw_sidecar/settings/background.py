"""CareGrid's background tasks."""

from __future__ import annotations

import os
from typing import Any, Final

from pydantic import Field, PositiveFloat

from ocw_sidecar.settings.part import Part

#: What operators of old have in their environment, in seconds.
CONFIRMATION_VARIABLE: Final = "BLOCKCHAIN_CONFIRMATION_TIMEOUT"
#: Twenty blocks of two seconds, and what a busy machine takes.
CONFIRMATION_TIMEOUT_S: Final = 60.0


def _confirmation_timeout() -> Any:
    return os.environ.get(CONFIRMATION_VARIABLE, CONFIRMATION_TIMEOUT_S)


class BackgroundSettings(Part):
    """Clean-up of expired IP blocks, and synchronisation of patients, IP blocks and attack signatures."""

    confirmation_timeout_s: PositiveFloat = Field(default_factory=_confirmation_timeout, le=3600)
    cleanup_every_s: PositiveFloat = 3600.0  #: in the sidecar that leads
    sync_every_s: PositiveFloat = 900.0  #: likewise, while there is as much to do as a run takes or less
    sync_at_least_s: PositiveFloat = 60.0  #: the shortest interval, while a run leaves something
    sync_at_most_s: PositiveFloat = 3600.0  #: the longest, while there is nothing to do
    batch: int = Field(default=128, ge=1, le=128)  #: entries in one extrinsic
    batches: int = Field(default=32, ge=1, le=64)  #: extrinsics under way at the same time
    max_entries: int = Field(default=20_000, ge=1)  #: of one kind in one run
    max_retries: int = Field(default=3, ge=0, le=100)  #: within one run
    retry_delay_s: float = Field(default=5.0, ge=0, le=600)  #: before the first retry; doubled with each
