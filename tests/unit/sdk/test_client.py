"""The client on twins in memory: who may read, and what is refused."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

import pytest

from caregrid.chain import RecordScope, calls
from caregrid.client import EmrClient
from caregrid.errors import (
    AccessRefused,
    CaregridError,
    DigestMismatch,
    GrantExpired,
    InputEmpty,
    InputInvalid,
    InputMissing,
    NoGrant,
    RecordErased,
    RecordUnknown,
    ValidationFailed,
)
from caregrid.keys import Identity
from caregrid.records import RecordFormat
from caregrid.storage import MemoryObjectStore
from caregrid.testing import MemoryChain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CONTENT = json.dumps({"resourceType": "Patient", "gender": "female"}).encode()


class World:
    """One chain, one store, any number of people."""

    def __init__(self) -> None:
        self.chain = MemoryChain()
        self.store = MemoryObjectStore()

    async def person(self, *, with_key: bool = True) -> EmrClient:
        """Return the client of a new person, his own custodian."""
        identity = Identity.generate()
        client = EmrClient(
            identity=identity,
            chain=self.chain,
            submitter=self.chain.submitter(identity.account),
            store=self.store,
        )
        await client.submitter.submit(calls.register_organisation([]))
        if with_key:
            await client.publish_encryption_key()
        return client


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """An empty world."""
    made = World()
    yield made
    await made.store.close()
    await made.chain.close()


async def submitted(client: EmrClient, content: bytes = CONTENT) -> bytes:
    """Submit content of a new patient and return the record's id."""
    patient = await client.register_patient()
    [item] = (await client.submit(content, patient_id=patient)).items
    return item.record_id


async def test_the_owner_reads_what_he_submitted(world: World, tmp_path: Path) -> None:
    """In memory and into a file that only he may read."""
    owner = await world.person()
    record = await submitted(owner)
    assert CONTENT == await owner.get(record)
    target = tmp_path / "copy.json"
    heard: list[tuple[int, int]] = []
    done = await owner.download(record, target, progress=lambda *facts: heard.append(facts))
    assert (len(CONTENT), len(CONTENT)) == (done, heard[-1][0])
    assert CONTENT == target.read_bytes()
    assert 0o600 == target.stat().st_mode & 0o777


async def test_sharing_and_withdrawing(world: World) -> None:
    """A grant opens the record for one account; it is withdrawn, or runs out and is removed."""
    owner, reader, other = [await world.person() for _ in range(3)]
    record = await submitted(owner)
    with pytest.raises(NoGrant):
        await reader.get(record)
    await owner.grant(record, reader.identity.account)
    assert CONTENT == await reader.get(record)
    with pytest.raises(NoGrant):
        await other.get(record)
    await owner.revoke(record, reader.identity.account)
    with pytest.raises(NoGrant):
        await reader.get(record)
    await owner.grant(record, reader.identity.account, blocks=3)
    world.chain.idle = False
    for _ in range(4):
        world.chain.finalize_block()
    with pytest.raises(GrantExpired):
        await reader.get(record)
    world.chain.idle = True
    world.chain.finalize_block()
    with pytest.raises(NoGrant):
        await reader.get(record)


async def test_only_the_controller_shares(world: World) -> None:
    """A reader cannot pass on what he was given."""
    owner, reader, friend = [await world.person() for _ in range(3)]
    record = await submitted(owner)
    await owner.grant(record, reader.identity.account)
    with pytest.raises(CaregridError):
        await reader.grant(record, friend.identity.account)
    with pytest.raises(NoGrant):
        await friend.get(record)


async def test_a_grant_needs_a_key_on_both_sides(world: World) -> None:
    """The grantee must have one registered; the granter must be able to read."""
    owner, keyless, stranger = (
        await world.person(),
        await world.person(with_key=False),
        await world.person(),
    )
    record = await submitted(owner)
    with pytest.raises(AccessRefused):
        await owner.grant(record, keyless.identity.account)
    with pytest.raises(NoGrant):
        await stranger.grant(record, owner.identity.account)


async def test_altered_bytes_are_never_returned(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every flipped bit gives an error, and no file."""
    owner = await world.person()
    record = await submitted(owner)
    length = (await owner.record(record)).length
    read = world.store.stream_range

    for position in (0, 1, 45, length - 1):

        async def flipped(
            object_id: bytes, offset: int, size: int, at: int = position
        ) -> AsyncIterator[bytes]:
            content = bytearray(b"".join([chunk async for chunk in read(object_id, offset, size)]))
            content[at] ^= 1
            yield bytes(content)

        monkeypatch.setattr(world.store, "stream_range", flipped)
        with pytest.raises(CaregridError) as caught:
            await owner.get(record)
        assert caught.value.exit_code in {DigestMismatch.exit_code, 53}
        with pytest.raises(CaregridError):
            await owner.download(record, tmp_path / "copy")
    assert [] == list(tmp_path.iterdir())


async def test_bad_input_is_refused_before_anything_is_stored(world: World, tmp_path: Path) -> None:
    """Nothing, an empty file, a missing one, an invalid resource, a Bundle."""
    owner = await world.person()
    patient = await owner.register_patient()
    (tmp_path / "empty").touch()
    bundle = json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": []}).encode()
    for content, kind in (
        (b"", InputEmpty),
        (tmp_path / "empty", InputEmpty),
        (tmp_path / "missing", InputMissing),
        (b'{"resourceType": "Patient", "gender": 7}', ValidationFailed),
        (bundle, InputInvalid),
    ):
        with pytest.raises(kind):
            await owner.submit(content, patient_id=patient)


async def test_any_bytes_go_in_as_binary(world: World) -> None:
    """Only FHIR and DICOM are judged."""
    owner = await world.person()
    patient, content = await owner.register_patient(), secrets.token_bytes(3 << 20)
    [item] = (await owner.submit(content, patient_id=patient, format=RecordFormat.BINARY)).items
    assert content == await owner.get(item.record_id)
    [grant] = await owner.grants(item.record_id)
    assert RecordScope(record_id=item.record_id) == grant.scope


async def test_an_unknown_record(world: World) -> None:
    """Every method says so in the same way."""
    owner, unknown = await world.person(), secrets.token_bytes(16)
    for work in (owner.get, owner.record, owner.grants):
        with pytest.raises(RecordUnknown):
            await work(unknown)


async def test_an_erased_record(world: World, tmp_path: Path) -> None:
    """Every method says so, to whoever asks; it is not the same as one that never was."""
    owner, reader = [await world.person() for _ in range(2)]
    record = await submitted(owner)
    await owner.grant(record, reader.identity.account)
    await owner.submitter.submit(calls.erase_record(owner.identity.account, record))
    for person in (owner, reader):
        for work in (person.get, person.record, person.grants, person.access.requests):
            with pytest.raises(RecordErased):
                await work(record)
        with pytest.raises(RecordErased):
            await person.download(record, tmp_path / "copy")
    with pytest.raises(RecordErased):
        await owner.grant(record, reader.identity.account)
    with pytest.raises(RecordErased):
        await reader.access.request(record)
    assert [] == list(tmp_path.iterdir())
