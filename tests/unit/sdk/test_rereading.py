"""Records that move while they are read."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from caregrid.chain import Call, KeyDelivery, RecordScope, calls
from caregrid.chain.port import Inline
from caregrid.client import EmrClient
from caregrid.errors import DigestMismatch, ObjectUnknown
from caregrid.keys import Identity, wrap_data_key
from caregrid.proofs import manifest_root
from caregrid.records import ObjectEntry, RecordEntry, RecordFormat
from caregrid.sealed import new_data_key, open_sealed, seal
from caregrid.storage import MemoryObjectStore, SizedStream
from caregrid.testing import MemoryChain

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
    from pathlib import Path

CONTENT = b"a record that does not stay where it is"


class MovingStore(MemoryObjectStore):
    """Before each of the next reads, something happens."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Callable[[], Awaitable[None]]] = []

    async def stream_range(self, object_id: bytes, offset: int, length: int) -> AsyncGenerator[bytes]:
        """Let it happen, then yield as ever."""
        if self.before:
            await self.before.pop(0)()
        async for chunk in super().stream_range(object_id, offset, length):
            yield chunk


@dataclass(kw_only=True)
class Owner:
    """His own custodian, with one record."""

    client: EmrClient
    store: MovingStore
    record_id: bytes

    async def move(self) -> None:
        """Have the record lie in another object, and give up the old one."""
        record = await self.client.record(self.record_id)
        sealed = await self._plain().read_range(record.object_id, record.offset, record.length)
        await self._anchor(sealed)

    async def reseal(self) -> None:
        """Seal the record under another data key, give up the old object, and deliver the new key."""
        record, new = await self.client.record(self.record_id), new_data_key()
        old = await self.client.reveal_data_key(self.record_id)
        sealed = await self._plain().read_range(record.object_id, record.offset, record.length)
        await self._anchor(seal(new, self.record_id, open_sealed(old, self.record_id, sealed)))
        identity = self.client.identity
        wrapped = wrap_data_key(identity.encryption.public_key, new, self.record_id, identity.account)
        delivery = KeyDelivery(
            scope=RecordScope(record_id=self.record_id),
            grantee=identity.account,
            key=Inline(wrapped=wrapped, key_version=1),
        )
        await self.client.submitter.submit(calls.deliver_keys(identity.account, [delivery]))

    def _plain(self) -> MemoryObjectStore:
        plain = MemoryObjectStore()
        plain._objects = self.store._objects
        return plain

    async def _anchor(self, sealed: bytes) -> None:
        record, padding = await self.client.record(self.record_id), secrets.token_bytes(7)

        async def chunks() -> AsyncIterator[bytes]:
            yield padding + sealed

        size = len(padding) + len(sealed)
        object_id = await self.store.put(SizedStream(chunks=chunks(), size=size))
        await self.client.submitter.submit(self._call(record.patient_id, object_id, size, sealed))
        await self.store.delete(record.object_id)

    def _call(self, patient: bytes, object_id: bytes, size: int, sealed: bytes) -> Call:
        entry = RecordEntry(
            record_id=self.record_id,
            patient_id=patient,
            offset=size - len(sealed),
            length=len(sealed),
            digest=hashlib.sha256(sealed).digest(),
            format=RecordFormat.BINARY,
        )
        target = ObjectEntry(
            object_id=object_id, size=size, record_count=1, manifest_root=manifest_root([entry])
        )
        return calls.move_records(self.client.identity.account, target, [entry])


@pytest.fixture
async def owner() -> AsyncIterator[Owner]:
    """One on twins in memory."""
    chain, store, identity = MemoryChain(), MovingStore(), Identity.generate()
    client = EmrClient(
        identity=identity, chain=chain, submitter=chain.submitter(identity.account), store=store
    )
    await client.submitter.submit(calls.register_organisation([]))
    patient = await client.register_patient()
    [item] = (await client.submit(CONTENT, patient_id=patient, format=RecordFormat.BINARY)).items
    yield Owner(client=client, store=store, record_id=item.record_id)
    await store.close()
    await chain.close()


@pytest.mark.parametrize("how", ["move", "reseal"])
async def test_a_record_that_moves_in_the_middle_is_read(owner: Owner, how: str, tmp_path: Path) -> None:
    """The object is gone when it is asked for: the chain is asked once more, and the new place read."""
    target, happens = tmp_path / "copy", getattr(owner, how)
    owner.store.before = [happens]
    assert CONTENT == await owner.client.get(owner.record_id)
    owner.store.before = [happens]
    assert CONTENT[3:9] == await owner.client.get_range(owner.record_id, 3, 6)
    owner.store.before = [happens]
    assert len(CONTENT) == await owner.client.download(owner.record_id, target)
    assert CONTENT == target.read_bytes()
    owner.store.before = [happens]
    length = (await owner.client.record(owner.record_id)).length
    assert length == await owner.client.download_sealed(owner.record_id, target)


async def test_once_more_is_enough(owner: Owner) -> None:
    """A record that moves at every look is not run after for ever."""
    owner.store.before = [owner.move] * 5
    with pytest.raises(ObjectUnknown):
        await owner.client.get(owner.record_id)
    assert 3 == len(owner.store.before)


async def test_what_has_not_moved_is_not_read_again(owner: Owner, tmp_path: Path) -> None:
    """Wrong bytes where the chain says the record lies are an error at once."""

    async def damage() -> None:
        stored = owner.store._objects
        for object_id, content in stored.items():
            stored[object_id] = content[:-1] + bytes([content[-1] ^ 1])

    async def heal() -> None:
        raise AssertionError

    owner.store.before = [damage, heal]
    with pytest.raises(DigestMismatch):
        await owner.client.download_sealed(owner.record_id, tmp_path / "copy")
