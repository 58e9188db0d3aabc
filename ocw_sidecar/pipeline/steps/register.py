"""pending → registered: has patients stand on chain that applications asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.pipeline.registering import Registrar
from ocw_sidecar.pipeline.steps.base import Step

if TYPE_CHECKING:
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.patients import Patients


class RegisterStep(Step):
    """Registers patients a batch at a time. One process runs it: the one that may submit."""

    bell = Bell.REGISTER

    def __init__(self, bench: Bench, patients: Patients) -> None:
        super().__init__(bench)
        self._registrar = Registrar(bench.ports.on_chain, bench.settings.organisation, patients)

    async def run_once(self) -> int:
        """Register what is due."""
        looked_at = await self._registrar.run_once()
        if looked_at:
            self._bench.bells.ring(Bell.SETTLED)
        return looked_at
