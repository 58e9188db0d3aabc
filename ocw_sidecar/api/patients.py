"""Registers patients and lists those that are known here."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from caregrid.errors import NotFound
from caregrid.records import PATIENT_ID_LEN
from ocw_sidecar.api import models, requests
from ocw_sidecar.api.replies import reply
from ocw_sidecar.api.routes import query_of
from ocw_sidecar.api.submissions import LOOK_PAUSE_S, MAX_WAIT_S
from ocw_sidecar.pipeline.bells import Bell, heard
from ocw_sidecar.pipeline.patients import RegistrationState

if TYPE_CHECKING:
    from aiohttp import web

    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.patients import Patients, Registration


class PatientHandlers:
    """The resource `/v1/patients`."""

    def __init__(self, bench: Bench, patients: Patients) -> None:
        self._bench, self._patients = bench, patients

    async def post(self, request: web.Request) -> web.Response:
        """Have a patient registered; 202 once that is durable, it may then be followed by `get`."""
        wish = await requests.json_body(request, models.PatientWish)
        patient_id = secrets.token_bytes(PATIENT_ID_LEN)
        if wish.patient is not None:
            patient_id = requests.from_hex(wish.patient)
        controller = None if wish.controller is None else requests.from_hex(wish.controller)
        asked = await self._patients.ask(patient_id, controller, now=self._bench.ports.now())
        self._bench.bells.ring(Bell.REGISTER)
        return reply(_state(asked), status=202)

    async def get(self, request: web.Request) -> web.Response:
        """Say how far a registration is; with `wait`, not before it is at its end."""
        patient_id = requests.patient_id_of(request)
        wait_s = min(query_of(request, models.WaitQuery).wait, MAX_WAIT_S)
        clock = asyncio.get_running_loop().time
        deadline = clock() + wait_s
        while True:
            rung = self._bench.bells.listen(Bell.SETTLED)
            found = await self._patients.registration(patient_id)
            if found is None:
                raise NotFound("no registration of this patient was asked for here; check the id")
            left_s = deadline - clock()
            if found.state is not RegistrationState.PENDING or left_s <= 0:
                return reply(_state(found))
            await heard(rung, min(left_s, self._bench.settings.tick_s))
            await asyncio.sleep(LOOK_PAUSE_S)

    async def find(self, request: web.Request) -> web.Response:
        """List patients that were registered here or that a submission named."""
        asked = query_of(request, models.PatientsQuery)
        after = b"" if asked.after is None else requests.from_hex(asked.after)
        found = await self._patients.seen(after, asked.limit)
        listed = [patient.hex() for patient in found]
        following = listed[-1] if len(listed) == asked.limit else None
        return reply(models.PatientList(patients=listed, next=following))


def _state(registration: Registration) -> models.PatientState:
    reason = {} if registration.reason is None else {"reason": registration.reason}
    return models.PatientState(patient=registration.patient_id.hex(), state=registration.state, **reason)
