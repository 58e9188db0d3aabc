"""Puts patients on chain that applications asked for, a batch at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.chain import calls
from caregrid.chain.limits import MAX_BATCH
from caregrid.errors import CaregridError, NotYetAnchored
from ocw_sidecar.pipeline.backoff import RetryAt
from ocw_sidecar.pipeline.faults import policy_for, reason_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocw_sidecar.pipeline.patients import Patients, Registration
    from ocw_sidecar.ports import ChainPorts

#: Another organisation registered a patient under this id.
FOREIGN_PATIENT: Final = "FOREIGN_PATIENT"

log = structlog.get_logger()


class Registrar:
    """Looks at the chain before it sends anything, so a crash in between registers nobody twice."""

    def __init__(self, ports: ChainPorts, organisation: bytes, patients: Patients) -> None:
        self._ports, self._organisation, self._patients = ports, organisation, patients

    async def run_once(self) -> int:
        """Register what is due, a batch at most; return how many were looked at."""
        due = await self._patients.due(MAX_BATCH, now=self._ports.now())
        if not due:
            return 0
        try:
            missing = await self._settle(due)
            if missing:
                await self._submit(missing)
                await self._put_off(await self._settle(missing), NotYetAnchored())
        except CaregridError as fault:
            await self._put_off(await self._pending(due), fault)
        return len(due)

    async def _settle(self, asked: Sequence[Registration]) -> list[Registration]:
        """Note those who stand on chain, and return the others."""
        chain = self._ports.chain
        found = await asyncio.gather(*(chain.patient(each.patient_id) for each in asked))
        missing = []
        for each, patient in zip(asked, found, strict=True):
            if patient is None:
                missing.append(each)
            elif patient.organisation == self._organisation:
                await self._patients.finish(each.patient_id)
            else:
                await self._patients.fail(each.patient_id, reason=FOREIGN_PATIENT)
        log.info("patients_registered", registered=len(asked) - len(missing), missing=len(missing))
        return missing

    async def _submit(self, missing: Sequence[Registration]) -> None:
        wanted = [(each.patient_id, each.controller) for each in missing]
        call = calls.register_patients(self._organisation, wanted)
        await self._ports.submitter.submit(call)

    async def _pending(self, asked: Sequence[Registration]) -> list[Registration]:
        found = [await self._patients.registration(each.patient_id) for each in asked]
        return [each for each in found if each is not None and each.state == "pending"]

    async def _put_off(self, missing: Sequence[Registration], fault: CaregridError) -> None:
        now, reason = self._ports.now(), reason_of(fault)
        for each in missing:
            decision = policy_for(fault).decide(attempt=each.attempts + 1, now=now)
            if isinstance(decision, RetryAt):
                await self._patients.postpone(each.patient_id, due=decision.at, reason=reason)
            else:
                await self._patients.fail(each.patient_id, reason=reason)
        if missing:
            log.warning("registration_put_off", patients=len(missing), reason=reason)
