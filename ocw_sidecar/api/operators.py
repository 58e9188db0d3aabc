"""Who the chain says may act for the organisation, and who may read a record."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from caregrid.chain.port import PatientScope, Purpose
from caregrid.errors import ChainUnreachable, NoEncryptionKey, NoGrant
from ocw_sidecar.pipeline.releases import Ground

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from caregrid.chain.port import Chain, EncryptionKey, Grant

T = TypeVar("T")

#: An operator who was removed on chain is one here for so long.
OPERATORS_TTL_S: Final = 15.0

#: A read at a node takes milliseconds; a caller who waits for it does so this long at the most.
CHAIN_READ_TIMEOUT_S: Final = 10.0


class Operators:
    """The organisation's own accounts."""

    def __init__(self, chain: Chain, organisation: bytes) -> None:
        self._chain, self._organisation = chain, organisation
        self._read_at, self._accounts = 0.0, frozenset[bytes]()
        self._reading = asyncio.Lock()

    async def include(self, account: bytes) -> bool:
        """Tell whether an account is the organisation's or an operator's.

        Raises:
            ChainUnreachable: it cannot be told now.
        """
        if account == self._organisation:
            return True
        async with self._reading:
            if not self._accounts or time.monotonic() - self._read_at >= OPERATORS_TTL_S:
                await self._read()
        return account in self._accounts

    async def _read(self) -> None:
        began = time.monotonic()
        found = await in_time(self._chain.organisation(self._organisation))
        self._accounts = frozenset() if found is None else found.operators
        self._read_at = began


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """By what an account may read, and what its data keys are wrapped to."""

    key: EncryptionKey
    grant: Grant | None  #: None: it is the organisation's own

    @property
    def ground(self) -> Ground:
        """What is written down of a release to it."""
        if self.grant is None:
            return Ground.OWN
        if self.grant.purpose == Purpose.EMERGENCY_TREATMENT:
            return Ground.EMERGENCY
        return Ground.PATIENT if isinstance(self.grant.scope, PatientScope) else Ground.RECORD


class Readers:
    """Who may have a record's data key, and the key it is wrapped to."""

    def __init__(self, chain: Chain, operators: Operators) -> None:
        self._chain, self._operators = chain, operators

    async def access(self, record_id: bytes, account: bytes) -> Access:
        """Return by what an account may read a record now, and the key to wrap to, as they stand on chain.

        Raises:
            NoGrant: it may not.
            NoEncryptionKey: it has registered none.
            ChainUnreachable: it cannot be told now.
        """
        grant = None
        if not await self._operators.include(account):
            grant = await in_time(self._chain.live_grant(record_id, account))
            if grant is None:
                raise NoGrant
        key = await in_time(self._chain.encryption_key(account))
        if key is None:
            raise NoEncryptionKey
        return Access(key=key, grant=grant)


class Controllers:
    """Who decides for a record's patient."""

    def __init__(self, chain: Chain, operators: Operators) -> None:
        self._chain, self._operators = chain, operators

    async def of_record(self, record_id: bytes) -> bytes | None:
        """Return the account that decides for a record's patient; None where the chain has no such record.

        Raises:
            ChainUnreachable: it cannot be told now.
        """
        record = await in_time(self._chain.record(record_id))
        patient = None if record is None else await in_time(self._chain.patient(record.patient_id))
        return None if patient is None else patient.controller

    async def oversees(self, record_id: bytes, account: bytes) -> bool:
        """Tell whether an account decides for a record's patient, or is the organisation's own; raises so."""
        if await self._operators.include(account):
            return True
        return await self.of_record(record_id) == account


async def in_time(read: Awaitable[T]) -> T:
    """Return what the chain says, within the deadline.

    Raises:
        ChainUnreachable: it said nothing.
    """
    try:
        async with asyncio.timeout(CHAIN_READ_TIMEOUT_S):
            return await read
    except TimeoutError as exc:
        raise ChainUnreachable from exc
