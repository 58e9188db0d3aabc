"""Reads from a Substrate node, always at its last finalized block."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from caregrid.chain import blocks, values
from caregrid.chain.calls import params
from caregrid.chain.connection import Connection
from caregrid.chain.limits import MAX_PAGE
from caregrid.chain.port import Chain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from caregrid.chain.answers import AnswerCache
    from caregrid.chain.genesis import Genesis
    from caregrid.chain.port import (
        AccessRequest,
        AttackSignature,
        BlockRef,
        EncryptionKey,
        ExpiringPage,
        ExpiryCursor,
        FinalizedBlock,
        Grant,
        GrantCursor,
        GrantPage,
        IpBlock,
        IpBlockPage,
        IpNet,
        Organisation,
        Patient,
        Record,
        RecordPage,
        RecordView,
        Scope,
        SignaturePage,
        StoredObject,
        Tombstone,
    )

T = TypeVar("T")


class SubstrateChain(Chain):
    """The chain through one node of a list; see :class:`~caregrid.chain.connection.Connection`."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        genesis: Genesis | bytes | None = None,
        cache: AnswerCache | None = None,
    ) -> None:
        self._connection = Connection(urls, genesis=genesis, cache=cache)

    async def finalized_head(self) -> BlockRef:
        """Return the last finalized block."""
        return await self._connection.run(blocks.finalized_head)

    async def block(self, number: int) -> BlockRef | None:
        """Return the finalized block of a number, or None when there is none yet."""
        return await self._connection.run(lambda client: blocks.finalized_block(client, number))

    async def block_time(self) -> datetime:
        """Return the time, aware UTC, that the author of the last finalized block gave it."""
        return datetime.fromtimestamp(await self._value("Timestamp", "Now") / 1000, UTC)

    async def spec_version(self) -> int:
        """Return the version of the runtime at the last finalized block."""
        return await self._connection.run(blocks.spec_version)

    async def record(self, record_id: bytes) -> Record | None:
        """Return one record, or None when it is not anchored, or erased."""
        entry = await self._value("Emr", "Records", record_id)
        return None if entry is None else values.to_record(record_id, entry)

    async def records(self, record_ids: Sequence[bytes]) -> dict[bytes, Record]:
        """Return those of the given records that are anchored and not erased, in one round trip."""
        entries = await self._record_entries(record_ids)
        found = {record_id: values.to_record(record_id, entry) for record_id, entry in entries.items()}
        return {record_id: record for record_id, record in found.items() if record is not None}

    async def tombstone(self, record_id: bytes) -> Tombstone | None:
        """Return what is left of an erased record, or None when it was never erased."""
        entry = await self._value("Emr", "Records", record_id)
        return None if entry is None else values.to_tombstone(record_id, entry)

    async def tombstones(self, record_ids: Sequence[bytes]) -> dict[bytes, Tombstone]:
        """Return what is left of those of the given records that were erased, in one round trip."""
        entries = await self._record_entries(record_ids)
        found = {record_id: values.to_tombstone(record_id, entry) for record_id, entry in entries.items()}
        return {record_id: tombstone for record_id, tombstone in found.items() if tombstone is not None}

    async def _record_entries(self, record_ids: Sequence[bytes]) -> dict[bytes, Any]:
        if not record_ids:
            return {}
        from caregrid.chain.lookup import query_records  # noqa: PLC0415 - imports the library

        return await self._connection.run(lambda client: query_records(client, record_ids))

    async def record_view(self, record_id: bytes) -> RecordView | None:
        """Return what stands under an id: a record with its custodian, a tombstone, or None."""
        view = await self._asked("record", _hex(record_id))
        return None if view is None else values.to_record_view(record_id, view)

    async def records_of_patient(
        self, patient_id: bytes, *, after: bytes | None = None, limit: int = MAX_PAGE
    ) -> RecordPage:
        """Return some of a patient's records; pass a page's `next` as `after` to go on."""
        start = None if after is None else _hex(after)
        return values.to_record_page(await self._asked("records_of_patient", _hex(patient_id), start, limit))

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
        value = await self._value("Emr", "Grants", params.scope(scope), grantee)
        return None if value is None else values.to_grant(scope, grantee, value)

    async def grants(self, scope: Scope) -> Sequence[Grant]:
        """Return every grant of a scope, live or not."""
        found = await self._map("Emr", "Grants", params.scope(scope))
        return [values.to_grant(scope, grantee, value) for grantee, value in found]

    async def live_grant(self, record_id: bytes, reader: bytes) -> Grant | None:
        """Return the grant that lets `reader` read a record now, its own before its patient's."""
        view = await self._asked("live_grant", _hex(record_id), _hex(reader))
        return None if view is None else values.to_grant_view(view)

    async def grants_of_record(
        self, record_id: bytes, *, after: GrantCursor | None = None, limit: int = MAX_PAGE
    ) -> GrantPage:
        """Return some of the live grants that cover a record, its own before its patient's."""
        start = None if after is None else (params.scope(after[0]), _hex(after[1]))
        return values.to_grant_page(await self._asked("grants_of_record", _hex(record_id), start, limit))

    async def expiring_grants(
        self, start: int, end: int, *, after: ExpiryCursor | None = None, limit: int = MAX_PAGE
    ) -> ExpiringPage:
        """Return some of the grants that expire at a block from `start` up to but not `end`."""
        cursor = None if after is None else (after[0], params.expirable(after[1]))
        return values.to_expiring_page(await self._asked("expiring_grants", start, end, cursor, limit))

    async def access_request(self, record_id: bytes, requester: bytes) -> AccessRequest | None:
        """Return one request, live or not."""
        value = await self._value("Emr", "AccessRequests", record_id, requester)
        return None if value is None else values.to_request(record_id, requester, value)

    async def access_requests(self, record_id: bytes) -> Sequence[AccessRequest]:
        """Return every request for a record, live or not."""
        found = await self._map("Emr", "AccessRequests", _hex(record_id))
        return [values.to_request(record_id, requester, value) for requester, value in found]

    async def ip_block(self, net: IpNet, organisation: bytes) -> IpBlock | None:
        """Return an organisation's block of exactly this network, live or not."""
        value = await self._value("Threats", "Blocks", params.network(net), organisation)
        return None if value is None else values.to_ip_block(net, organisation, value)

    async def ip_blocks(self, net: IpNet) -> Sequence[IpBlock]:
        """Return every organisation's block of exactly this network, live or not."""
        found = await self._map("Threats", "Blocks", params.network(net))
        return [values.to_ip_block(net, organisation, value) for organisation, value in found]

    async def all_ip_blocks(self, *, after: bytes | None = None, limit: int = MAX_PAGE) -> IpBlockPage:
        """Return some of all blocked networks, live or not."""
        found, cursor = await self._page("Threats", "Blocks", after, limit)
        return values.to_ip_block_page(found, cursor)

    async def signature(self, signature_id: bytes) -> AttackSignature | None:
        """Return one attack signature."""
        value = await self._value("Threats", "Signatures", signature_id)
        return None if value is None else values.to_signature(signature_id, value)

    async def all_signatures(self, *, after: bytes | None = None, limit: int = MAX_PAGE) -> SignaturePage:
        """Return some of all attack signatures."""
        found, cursor = await self._page("Threats", "Signatures", after, limit)
        return values.to_signature_page(found, cursor)

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
        encodable = [_hex(key) if isinstance(key, bytes) else key for key in keys]
        return await self._at_finalized(
            lambda client, head: client.query(pallet, item, encodable, block_hash=head).value
        )

    async def _map(self, pallet: str, item: str, first_key: Any) -> list[tuple[bytes, Mapping[str, Any]]]:
        """Return a double map's entries under its first key; the second is an account."""
        found = await self._at_finalized(
            lambda client, head: [
                (account.value, value.value)
                for account, value in client.query_map(
                    pallet, item, [first_key], block_hash=head, page_size=100
                )
            ]
        )
        return [(values.to_account(account), value) for account, value in found]

    async def _page(
        self, pallet: str, item: str, after: bytes | None, limit: int
    ) -> tuple[list[tuple[Any, Any]], bytes | None]:
        """Return some of a map's entries behind a storage key, and the key to go on behind."""
        size = max(1, min(limit, MAX_PAGE))
        start = None if after is None else _hex(after)
        return await self._at_finalized(
            lambda client, head: _page_of(client, head, (pallet, item), start, size)
        )

    async def _asked(self, method: str, *arguments: Any) -> Any:
        """Return what the runtime's `EmrApi` answers."""
        return await self._at_finalized(
            lambda client, head: _ask_runtime(client, head, method, list(arguments))
        )

    async def _at_finalized(self, read: Callable[[Any, str], T]) -> T:
        return await self._connection.run(lambda client: read(client, client.get_chain_finalised_head()))


def _page_of(
    client: Any, head: str, of: tuple[str, str], start: str | None, limit: int
) -> tuple[list[tuple[Any, Any]], bytes | None]:
    found = client.query_map(
        *of,
        [],
        block_hash=head,
        start_key=start,
        page_size=limit,
        max_results=limit,
        ignore_decoding_errors=False,
    )
    entries = [(_plain(key), value.value) for key, value in found.records]
    return entries, values.to_bytes(found.last_key) if len(entries) == limit else None


def _plain(key: Any) -> Any:
    """Return a map's key; of a double map both."""
    return tuple(part.value for part in key) if isinstance(key, tuple) else key.value


def _ask_runtime(client: Any, head: str, method: str, arguments: list[Any]) -> Any:
    # The one in the block's state answers, and not the one that executed the block.
    client.use_runtime_at(head)
    return client.runtime_call("EmrApi", method, arguments, head).value


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
