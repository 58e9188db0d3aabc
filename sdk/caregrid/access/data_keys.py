"""How a reader comes by a record's data key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caregrid import errors
from caregrid.chain.port import Inline, PatientScope, Pending, RecordScope
from caregrid.keys import unwrap_data_key

if TYPE_CHECKING:
    from caregrid.chain.port import Chain, Grant, Record
    from caregrid.intake import SidecarClient
    from caregrid.keys import Identity


class DataKeys:
    """The data keys that one identity can get: from a grant that has its key in it, else from a sidecar."""

    def __init__(self, identity: Identity, chain: Chain, sidecar: SidecarClient | None) -> None:
        self._identity, self._chain, self._sidecar = identity, chain, sidecar

    async def of(self, record: Record) -> bytes:
        """Return a record's data key.

        Raises:
            RecordErased: its keys are destroyed, though the chain may not say so yet.
            NoGrant, GrantExpired: this identity may not read the record.
            KeyNotDelivered: it may, but the key is not there yet, and the profile names no sidecar to ask.
            WrongKey: the key is wrapped to another encryption key than this identity has.
            ConfigInvalid: the custodian keeps the key; the profile must name his sidecar.
        """
        own = await self._chain.grant(RecordScope(record_id=record.record_id), self._identity.account)
        live = own is not None and own.is_live((await self._chain.finalized_head()).number)
        if own is not None and live and isinstance(own.key, Inline):
            try:
                return self._unwrap(own.key.wrapped, record)
            except errors.WrongKey:
                if self._sidecar is None:
                    raise  # else it wraps to the key that this identity has now
        if self._sidecar is None:
            raise await self._refusal(record, own)
        return await self._released(self._sidecar, record, own)

    async def _released(self, sidecar: SidecarClient, record: Record, own: Grant | None) -> bytes:
        try:
            wrapped = await sidecar.release_key(
                record.record_id,
                account=self._identity.account,
                public_key=self._identity.encryption.public_key,
            )
        except errors.RecordErased:
            raise
        except (errors.NotFound, errors.NoGrant):
            # The chain tells more exactly why.
            raise await self._refusal(record, own) from None
        return self._unwrap(wrapped, record)

    async def _refusal(self, record: Record, own: Grant | None) -> errors.CaregridError:
        head = (await self._chain.finalized_head()).number
        wide = await self._chain.grant(PatientScope(patient_id=record.patient_id), self._identity.account)
        held = [each for each in (own, wide) if each is not None]
        live = [each for each in held if each.is_live(head)]
        if not live:
            return errors.GrantExpired() if held else errors.NoGrant()
        if self._sidecar is not None:
            return errors.NotFound(
                "this sidecar keeps no key of the record; name its custodian's in the profile"
            )
        if isinstance(live[0].key, Pending):
            return errors.KeyNotDelivered()
        return errors.ConfigInvalid("the custodian keeps this record's key; name his sidecar in the profile")

    def _unwrap(self, wrapped: bytes, record: Record) -> bytes:
        return unwrap_data_key(self._identity.encryption, wrapped, record.record_id, self._identity.account)
