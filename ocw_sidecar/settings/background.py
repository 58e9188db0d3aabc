"""CareGrid's background tasks."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated, Any, Final

from apscheduler.triggers.cron import CronTrigger
from pydantic import AfterValidator, Field, PositiveFloat

from ocw_sidecar.settings.part import Part

#: What operators of old have in their environment, in seconds.
CONFIRMATION_VARIABLE: Final = "BLOCKCHAIN_CONFIRMATION_TIMEOUT"
#: Twenty blocks of two seconds, and what a busy machine takes.
CONFIRMATION_TIMEOUT_S: Final = 60.0


def _confirmation_timeout() -> Any:
    return os.environ.get(CONFIRMATION_VARIABLE, CONFIRMATION_TIMEOUT_S)


class Schedule(StrEnum):
    """Who says when the tasks are due."""

    ADAPTIVE = "adaptive"  #: APScheduler in the sidecar that leads, at intervals that follow the load
    PERIODIC = "periodic"  #: procrastinate in PostgreSQL, at fixed times


def _require_crontab(text: str) -> str:
    CronTrigger.from_crontab(text)
    return text


Crontab = Annotated[str, AfterValidator(_require_crontab)]


class BackgroundSettings(Part):
    """Clean-up of expired IP blocks, and synchronisation of patients, IP blocks and attack signatures."""

    confirmation_timeout_s: PositiveFloat = Field(default_factory=_confirmation_timeout, le=3600)
    schedule: Schedule = Schedule.ADAPTIVE  #: of the sidecar that leads
    cleanup_cron: Crontab = "0 * * * *"  #: with `periodic`: when, in UTC
    sync_cron: Crontab = "*/15 * * * *"  #: likewise
    cleanup_every_s: PositiveFloat = 3600.0  #: with `adaptive`: in the sidecar that leads
    sync_every_s: PositiveFloat = 900.0  #: likewise, while there is as much to do as a run takes or less
    sync_at_least_s: PositiveFloat = 60.0  #: the shortest interval, while a run leaves something
    sync_at_most_s: PositiveFloat = 3600.0  #: the longest, while there is nothing to do
    batch: int = Field(default=128, ge=1, le=128)  #: entries in one extrinsic
    batches: int = Field(default=32, ge=1, le=64)  #: extrinsics under way at the same time
    max_entries: int = Field(default=20_000, ge=1)  #: of one kind in one run
    max_retries: int = Field(default=3, ge=0, le=100)  #: within one run
    retry_delay_s: float = Field(default=5.0, ge=0, le=600)  #: before the first retry; doubled with each
