"""Reads from a Substrate node, always at its last finalized block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from caregrid.chain import blocks, values
from caregrid.chain.calls import scope_value
from caregrid.chain.connection import Connection
from caregrid.chain.port import Chain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from caregrid.chain.port import (
        BlockRef,
        EncryptionKey,
        FinalizedBlock,
        Grant,
        Organisation,
        Patient,
        Record,
        Scope,
        StoredObject,
    )

T = TypeVar("T")


class SubstrateChain(Chain):
    """The chain through one node of a list; see :class:`~caregrid.chain.connection.Connection`."""

    def __init__(self, urls: Sequence[str], *, genesis: bytes | None = None) -> None:
        self._connection = Connection(urls, genesis=genesis)

    async def finalized_head(self) -> BlockRef:
        """Return the last finalized block."""
        return await self._connection.run(blocks.finalized_head)

    async def record(self, record_id: bytes) -> Record | None:
        """Return one record, or None when it is not anchored."""
        value = await self._value("Emr", "Records", record_id)
        return None if value is None else values.to_record(record_id, value)

    async def records(self, record_ids: Sequence[bytes]) -> dict[bytes, Record]:
        """Return those of the given records that are anchored, in one round trip."""
        if not record_ids:
            return {}
        found = await self._connection.run(lambda client: _query_records(client, record_ids))
        return {record_id: values.to_record(record_id, value) for record_id, value in found.items()}

    async def stored_object(self, object_id: bytes) -> StoredObject | None:
        """Return one object."""
        value = await self._value("Emr", "Objects", object_id)
        return None if value is None else values.to_object(object_id, value)

    async def organisation(self, account: bytes) -> Organisation | None:
        """Return one organisation."""
        value = await self._value("Emr", "Organisations", account)
        return None if value is None else values.to_organisation(account, value)

    async def patient(self, patient_id: bytes) -> Patient | None:
        """Return one patient."""
        value = await self._value("Emr", "Patients", patient_id)
        return None if value is None else values.to_patient(patient_id, value)

    async def encryption_key(self, account: bytes) -> EncryptionKey | None:
        """Return the account's encryption key."""
        value = await self._value("Emr", "EncryptionKeys", account)
        return None if value is None else values.to_encryption_key(account, value)

    async def grant(self, scope: Scope, grantee: bytes) -> Grant | None:
        """Return one grant, live or not."""
        value = await self._value("Emr", "Grants", scope_value(scope), grantee)
        return None if value is None else values.to_grant(scope, grantee, value)

    async def grants(self, scope: Scope) -> Sequence[Grant]:
        """Return every grant of a scope, live or not."""
        found = await self._at_finalized(
            lambda client, head: [
                (account.value, grant.value)
                for account, grant in client.query_map(
                    "Emr", "Grants", [scope_value(scope)], block_hash=head, page_size=100
                )
            ]
        )
        return [values.to_grant(scope, values.to_account(account), grant) for account, grant in found]

    async def balance(self, account: bytes) -> int:
        """Return the account's free balance in plancks."""
        value = await self._value("System", "Account", account)
        return int(value["data"]["free"])

    async def finalized_blocks(self, start: int) -> AsyncIterator[FinalizedBlock]:
        """Yield every finalized block from number `start` on, without a gap, for ever."""
        async for block in blocks.follow(self._connection, start):
            yield block

    async def close(self) -> None:
        """Disconnect."""
        await self._connection.close()

    async def _value(self, pallet: str, item: str, *keys: Any) -> Any:
        params = ["0x" + key.hex() if isinstance(key, bytes) else key for key in keys]
        return await self._at_finalized(
            lambda client, head: client.query(pallet, item, params, block_hash=head).value
        )

    async def _at_finalized(self, read: Callable[[Any, str], T]) -> T:
        return await self._connection.run(lambda client: read(client, client.get_chain_finalised_head()))


def _query_records(client: Any, record_ids: Sequence[bytes]) -> dict[bytes, Any]:
    keys = {
        client.create_storage_key("Emr", "Records", ["0x" + record_id.hex()]): record_id
        for record_id in record_ids
    }
    by_hex = {key.to_hex(): record_id for key, record_id in keys.items()}
    head = client.get_chain_finalised_head()
    found = client.query_multi(list(keys), block_hash=head)
    return {by_hex[key.to_hex()]: value.value for key, value in found if value.value is not None}
