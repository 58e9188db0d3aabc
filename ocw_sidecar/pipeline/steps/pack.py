"""sealed → packed: gives records that have waited long enough, or are enough, a place in an object."""

from __future__ import annotations

from datetime import timedelta

import structlog

from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.pipeline.crashpoints import CrashPoint, reach
from ocw_sidecar.pipeline.items import PackLimits
from ocw_sidecar.pipeline.steps.base import Step

log = structlog.get_logger()


class PackStep(Step):
    """Plans packs; nothing is copied yet."""

    bell = Bell.PACK

    async def run_once(self) -> int:
        """Plan one pack, if one is due."""
        settings, now = self._bench.settings, self._bench.ports.now()
        limits = PackLimits(
            size=settings.pack_size_limit,
            records=settings.pack_record_limit,
            oldest_before=now - timedelta(seconds=settings.pack_age_limit_s),
        )
        pack_id = await self._bench.queue.plan_pack(limits, now=now)
        if pack_id is None:
            return 0
        reach(CrashPoint.PLANNED)
        self._bench.bells.ring(Bell.ASSEMBLE)
        log.info("pack_planned", pack=pack_id.hex())
        return 1
