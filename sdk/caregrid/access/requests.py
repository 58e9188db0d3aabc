"""Asking for access, and what both sides of a grant look up."""

from __future__ import annotations

import functools
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from caregrid import errors
from caregrid.chain import calls
from caregrid.chain.limits import MAX_REQUEST_DURATION
from caregrid.chain.refusals import emr
from caregrid.chain.walking import paged

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from caregrid.chain.port import AccessRequest, Chain, Receipt, Record, Submitter

#: How long a request stands unless said otherwise: a week.
DEFAULT_REQUEST_BLOCKS: Final = 7 * 43_200


class Requests:
    """Requests for access: made, seen, denied."""

    def __init__(self, chain: Chain, submitter: Submitter) -> None:
        self._chain, self._submitter = chain, submitter

    async def request(
        self, record_id: bytes, *, purpose: str = "Treatment", blocks: int = DEFAULT_REQUEST_BLOCKS
    ) -> Receipt:
        """Ask whoever decides for the patient for access to a record; asking again replaces.

        Raises:
            RecordUnknown, RecordErased: there is no such record, or none any more.
            InputInvalid: there is no such purpose.
            emr.ExpiryInPast, emr.ExpiryTooFar: the request would stand for no time, or for too long.
        """
        require_purpose(purpose)
        expires_at = await self._expiry(blocks, MAX_REQUEST_DURATION)
        call = calls.request_access(record_id, purpose=purpose, expires_at=expires_at)
        return await self._submitter.submit(call)

    async def requests(self, record_id: bytes) -> list[AccessRequest]:
        """Return the requests for a record that stand now.

        Raises:
            RecordUnknown, RecordErased: there is no such record, or none any more.
        """
        await self._record(record_id)
        return await self._live_requests(record_id)

    async def requests_for(self, patient_id: bytes) -> AsyncGenerator[AccessRequest]:
        """Yield the requests for a patient's records that stand now, record by record.

        Raises:
            PatientUnknown: there is no such patient.
        """
        await self._require_patient(patient_id)
        records = paged(functools.partial(self._chain.records_of_patient, patient_id))
        async with aclosing(records) as ids:
            async for record_id in ids:
                for request in await self._live_requests(record_id):
                    yield request

    async def deny(self, record_id: bytes, requester: bytes) -> Receipt:
        """Refuse a request; the requester is told.

        Raises:
            emr.RequestUnknown: there is none, or none any more.
            AccessRefused: this identity does not decide for the patient.
        """
        return await self._submitter.submit(calls.deny_request(record_id, requester))

    async def _expiry(self, blocks: int, longest: int) -> int:
        if blocks < 1:
            raise emr.ExpiryInPast
        if blocks > longest:
            raise emr.ExpiryTooFar
        return (await self._chain.finalized_head()).number + blocks

    async def _live_requests(self, record_id: bytes) -> list[AccessRequest]:
        found = await self._chain.access_requests(record_id)
        head = (await self._chain.finalized_head()).number
        return [request for request in found if request.is_live(head)]

    async def _record(self, record_id: bytes) -> Record:
        return await require_record(self._chain, record_id)

    async def _require_patient(self, patient_id: bytes) -> None:
        if await self._chain.patient(patient_id) is None:
            raise errors.PatientUnknown


async def require_record(chain: Chain, record_id: bytes) -> Record:
    """Return what the chain says of a record that stands.

    Raises:
        RecordErased: it was erased.
        RecordUnknown: it is not anchored.
    """
    record = await chain.record(record_id)
    if record is not None:
        return record
    if await chain.tombstone(record_id) is not None:
        raise errors.RecordErased
    raise errors.RecordUnknown


def require_purpose(purpose: str) -> None:
    """Refuse a purpose that the chain does not know.

    Raises:
        InputInvalid: it does not.
    """
    if purpose not in calls.PURPOSES:
        raise errors.InputInvalid(f"a purpose is one of {', '.join(calls.PURPOSES)}")
