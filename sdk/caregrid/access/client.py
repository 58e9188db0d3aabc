"""What applications do about access: `EmrClient.access`."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from caregrid import errors
from caregrid.access.data_keys import DataKeys
from caregrid.access.requests import Requests, require_purpose
from caregrid.chain import calls
from caregrid.chain.limits import MAX_GRANT_DURATION
from caregrid.chain.port import Inline, PatientScope, Pending
from caregrid.keys import wrap_data_key

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Sequence

    from caregrid.chain.port import Chain, Grant, KeyState, Receipt, Scope, Submitter
    from caregrid.intake import SidecarClient
    from caregrid.keys import Identity
    from caregrid.statuses import KeyRelease

#: How long a grant lasts unless said otherwise: a day of two-second blocks.
DEFAULT_GRANT_BLOCKS: Final = 43_200
#: A sidecar delivers within two blocks; minutes of margin for a busy one.
DELIVERY_TIMEOUT_S: Final = 120.0
#: A block.
POLL_S: Final = 2.0

_NO_KEY: Final = (
    "the grantee has no encryption key on the chain, so nothing can be wrapped to him; "
    "he registers one with `EmrClient.publish_encryption_key` or `caregrid grants publish-key`"
)


class Handover(StrEnum):
    """How a grantee gets the data key."""

    ESCROWED = "escrowed"  #: the custodian's sidecar keeps it for him, and the chain its digest
    INLINE = "inline"  #: it stands in the grant, wrapped; for one record, and without a sidecar
    PENDING = (
        "pending"  #: later, by the custodian; whether the grantee has an encryption key is not looked at
    )


class Access(Requests):
    """Requests, grants and emergencies, by one identity."""

    def __init__(
        self, identity: Identity, chain: Chain, submitter: Submitter, sidecar: SidecarClient | None
    ) -> None:
        super().__init__(chain, submitter)
        self._sidecar = sidecar
        #: Where this identity's data keys come from.
        self.data_keys = DataKeys(identity, chain, sidecar)

    async def grant(
        self,
        scope: Scope,
        grantee: bytes,
        *,
        blocks: int = DEFAULT_GRANT_BLOCKS,
        purpose: str = "Treatment",
        handover: Handover | None = None,
    ) -> Receipt:
        """Let an account read a record, or all records of a patient, for a number of blocks.

        An existing grant is replaced.

        Args:
            scope: the record, or the patient.
            grantee: the account.
            blocks: how long.
            purpose: why.
            handover: how he gets the key; by default escrowed where the profile names a sidecar, and for a
                patient, else inline. The sidecar escrows it within two blocks; he can read at once.

        Raises:
            RecordUnknown, RecordErased, PatientUnknown: there is no such thing, or none any more.
            NoEncryptionKey: the grantee has none registered.
            AccessRefused: this identity does not decide for the patient, or cannot read the record itself.
            InputInvalid: there is no such purpose, or a patient's keys were to be inline.
            emr.ExpiryInPast, emr.ExpiryTooFar: the grant would last for no time, or for too long.
        """
        require_purpose(purpose)
        chosen = handover or self._default(scope)
        key = await self._key(scope, grantee, chosen)
        expires_at = await self._expiry(blocks, MAX_GRANT_DURATION)
        call = calls.grant_access(scope, grantee, expires_at=expires_at, purpose=purpose, key=key)
        return await self._submitter.submit(call)

    async def extend(self, scope: Scope, grantee: bytes, *, blocks: int = DEFAULT_GRANT_BLOCKS) -> Receipt:
        """Let a grant last for a number of blocks from now; purpose and key stay as they are.

        Raises:
            NoGrant, GrantExpired: there is none to extend; give a new one.
            InputInvalid: it lasts for longer already.
            AccessRefused: this identity does not decide for the patient.
            emr.ExpiryInPast, emr.ExpiryTooFar: as of `grant`.
        """
        present = await self._chain.grant(scope, grantee)
        if present is None:
            raise errors.NoGrant("there is no such grant to extend; give one")
        if not present.is_live((await self._chain.finalized_head()).number):
            raise errors.GrantExpired
        expires_at = await self._expiry(blocks, MAX_GRANT_DURATION)
        if expires_at <= present.expires_at:
            raise errors.InputInvalid(
                f"the grant lasts until block {present.expires_at} already; to shorten it, give it anew"
            )
        call = calls.grant_access(
            scope,
            grantee,
            expires_at=expires_at,
            purpose=present.purpose,
            key=await self._present_key(present),
        )
        return await self._submitter.submit(call)

    async def revoke(self, scope: Scope, grantee: bytes) -> Receipt:
        """Withdraw a grant; what its holder has read he keeps.

        Raises:
            NoGrant: there is no such grant.
            AccessRefused: this identity does not decide for the patient.
        """
        return await self._submitter.submit(calls.revoke_access(scope, grantee))

    async def open_emergency(self, scope: Scope, *, reason: str) -> Receipt:
        """Break the glass: read at once and for four hours; whoever decides for the patient is told.

        Raises:
            AccessRefused: this identity is not in the organisation's emergency role.
            InputInvalid: there is no such reason.
            emr.AccessLive: it may read that already, for at least as long.
        """
        return await self._submitter.submit(calls.open_emergency_access(scope, reason))

    async def set_emergency_members(self, members: Collection[bytes]) -> Receipt:
        """Name the accounts that may break the glass, instead of those so far; by the organisation itself."""
        return await self._submitter.submit(calls.set_emergency_members(members))

    async def grants_on(self, scope: Scope) -> Sequence[Grant]:
        """Return every grant that covers a record, or a patient's records, expired ones included.

        Raises:
            RecordUnknown, RecordErased, PatientUnknown: there is no such thing, or none any more.
        """
        if isinstance(scope, PatientScope):
            await self._require_patient(scope.patient_id)
            return await self._chain.grants(scope)
        record = await self._record(scope.record_id)
        wide = PatientScope(patient_id=record.patient_id)
        return [*await self._chain.grants(scope), *await self._chain.grants(wide)]

    async def delivered(
        self, scope: Scope, grantee: bytes, *, timeout_s: float = DELIVERY_TIMEOUT_S
    ) -> Grant:
        """Return a grant once its key is delivered.

        Raises:
            KeyNotDelivered: time is up; the custodian's sidecar goes on.
            NoGrant: there is no such grant, or none any more.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    grant = await self._chain.grant(scope, grantee)
                    if grant is None:
                        raise errors.NoGrant
                    if not isinstance(grant.key, Pending):
                        return grant
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise errors.KeyNotDelivered from None

    async def releases(self, record_id: bytes) -> AsyncGenerator[KeyRelease]:
        """Yield to whom the sidecar handed a record's key out, the newest first.

        Raises:
            ConfigInvalid: the profile names no sidecar.
            AccessRefused: neither custodian, nor who decides for the patient.
            NotFound: the sidecar has no such record.
        """
        if self._sidecar is None:
            raise errors.ConfigInvalid(
                "the custodian's sidecar has the log of releases; name it in the profile"
            )
        async for release in self._sidecar.releases(record_id):
            yield release

    def _default(self, scope: Scope) -> Handover:
        escrowed = self._sidecar is not None or isinstance(scope, PatientScope)
        return Handover.ESCROWED if escrowed else Handover.INLINE

    async def _key(self, scope: Scope, grantee: bytes, handover: Handover) -> KeyState:
        if isinstance(scope, PatientScope):
            await self._require_patient(scope.patient_id)
            if handover is Handover.INLINE:
                raise errors.InputInvalid(
                    "a grant has room for one key, and a patient's records have one each"
                )
        else:
            record = await self._record(scope.record_id)
        if handover is Handover.PENDING:
            return Pending()
        key = await self._chain.encryption_key(grantee)
        if key is None:
            raise errors.NoEncryptionKey(_NO_KEY)
        if handover is Handover.ESCROWED or isinstance(scope, PatientScope):
            return Pending()  # the sidecar looks for such grants in each block
        data_key = await self.data_keys.of(record)
        wrapped = wrap_data_key(key.public_key, data_key, scope.record_id, grantee)
        return Inline(wrapped=wrapped, key_version=key.version)

    async def _present_key(self, present: Grant) -> KeyState:
        """Return a grant's key, unless its holder has a new encryption key since: it is delivered anew."""
        key = await self._chain.encryption_key(present.grantee)
        version = None if key is None else key.version
        if isinstance(present.key, Pending) or present.key.key_version != version:
            return Pending()
        return present.key
