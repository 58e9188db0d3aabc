"""What every chain adapter promises: the twin in memory, and the real node."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.chain import (
    Call,
    Chain,
    Escrowed,
    Inline,
    PatientScope,
    Pending,
    RecordScope,
    SubstrateChain,
    SubstrateSubmitter,
    calls,
)
from caregrid.errors import CallRejected, NoEncryptionKey, NoGrant, PatientUnknown, RecordUnknown
from caregrid.keys import Identity
from caregrid.records import ObjectEntry, RecordEntry, RecordFormat
from caregrid.testing import MemoryChain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from caregrid.chain import Receipt, Submitter

#: Well-known accounts, which the development genesis endows; the organisation's state persists over tests.
PEOPLE = {
    name: Identity.from_uri(uri)
    for name, uri in {
        "hospital": "//Ferdie",
        "operator": "//Alice",
        "reader": "//Eve//stash",
        "stranger": "//Dave//stash",
    }.items()
}
READABLE = Identity.from_uri("//Eve")


@dataclass
class World:
    """A chain with a registered hospital, and its people's submitters."""

    chain: Chain
    submitters: dict[str, Submitter]

    async def submit(self, who: str, call: Call) -> Receipt:
        """Submit a call as somebody."""
        return await self.submitters[who].submit(call)


def account(who: str) -> bytes:
    """Return somebody's account."""
    return PEOPLE[who].account


@pytest.fixture(params=["memory", "node"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """The same world on each adapter."""
    people = {**PEOPLE, "grantee": READABLE}
    if request.param == "memory":
        chain: Any = MemoryChain()
        submitters = {name: chain.submitter(who.account) for name, who in people.items()}
    else:
        url = request.getfixturevalue("node_url")
        chain = SubstrateChain([url])
        submitters = {
            name: SubstrateSubmitter([url], account=who.account, sign=who.sign)
            for name, who in people.items()
        }
    made = World(chain=chain, submitters=submitters)
    await _populate(made)
    yield made
    for submitter in submitters.values():
        await submitter.close()
    await chain.close()


async def _populate(world: World) -> None:
    wanted = []
    if await world.chain.organisation(account("hospital")) is None:
        wanted.append(world.submit("hospital", calls.register_organisation([account("operator")])))
    if await world.chain.encryption_key(READABLE.account) is None:
        wanted.append(world.submit("grantee", calls.set_encryption_key(READABLE.encryption.public_key)))
    await asyncio.gather(*wanted)


async def new_patient(world: World) -> bytes:
    """Register a patient."""
    patient = secrets.token_bytes(32)
    await world.submit("operator", calls.register_patient(account("hospital"), patient))
    return patient


def new_object(count: int = 1) -> ObjectEntry:
    """Return an object of 1,000 bytes that nobody has stored."""
    return ObjectEntry(
        object_id=secrets.token_bytes(32),
        size=1000,
        record_count=count,
        manifest_root=secrets.token_bytes(32),
    )


def new_record(patient: bytes, **changes: Any) -> RecordEntry:
    """Return a record that nobody has anchored."""
    fields = {
        "record_id": secrets.token_bytes(16),
        "patient_id": patient,
        "offset": 0,
        "length": 100,
        "digest": secrets.token_bytes(32),
        "format": RecordFormat.FHIR_R4_JSON,
    }
    return RecordEntry(**{**fields, **changes})


async def test_what_is_not_there_is_none(world: World) -> None:
    """Reads of unknown things answer with None or nothing."""
    unknown = secrets.token_bytes(32)
    assert await world.chain.record(unknown[:16]) is None
    assert await world.chain.records([unknown[:16], unknown[16:]]) == {}
    assert await world.chain.stored_object(unknown) is None
    assert await world.chain.patient(unknown) is None
    assert await world.chain.organisation(unknown) is None
    assert await world.chain.encryption_key(unknown) is None
    assert await world.chain.grant(PatientScope(patient_id=unknown), unknown) is None
    assert list(await world.chain.grants(RecordScope(record_id=unknown[:16]))) == []


async def test_people_are_read_back(world: World) -> None:
    """Organisation, patient and encryption key are what was registered."""
    patient = await new_patient(world)
    organisation = await world.chain.organisation(account("hospital"))
    found = await world.chain.patient(patient)
    key = await world.chain.encryption_key(READABLE.account)
    assert organisation is not None
    assert frozenset({account("operator")}) == organisation.operators
    assert found is not None
    assert (account("hospital"), account("hospital")) == (found.organisation, found.controller)
    assert key is not None
    assert len(READABLE.encryption.public_key) == len(key.public_key)
    assert key.version >= 1


async def test_a_batch_is_anchored_and_bad_items_are_left_out(world: World) -> None:
    """Records are read back as they were described; a stranger's patient is reported and left out."""
    patient, entry = await new_patient(world), new_object(3)
    good, other = new_record(patient), new_record(patient, offset=900, format=RecordFormat.BINARY)
    bad = new_record(secrets.token_bytes(32))
    receipt = await world.submit(
        "operator", calls.store_emr_batch(account("hospital"), entry, [good, bad, other])
    )

    found = await world.chain.records([good.record_id, bad.record_id, other.record_id])
    assert {good.record_id, other.record_id} == found.keys()
    record = found[other.record_id]
    assert (900, 100, other.digest) == (record.offset, record.length, record.digest)
    assert (patient, entry.object_id) == (record.patient_id, record.object_id)
    assert (RecordFormat.BINARY, receipt.block.number) == (record.format, record.anchored_at)
    stored = await world.chain.stored_object(entry.object_id)
    assert stored is not None
    assert (entry, account("hospital"), 2) == (stored.entry, stored.custodian, stored.anchored_records)
    named = {event.name: event.fields for event in receipt.events if event.pallet == "Emr"}
    assert bad.record_id == named["RecordRejected"]["record"]
    assert named["RecordRejected"]["reason"] == "PatientUnknown"
    assert account("hospital") == named["ObjectStored"]["custodian"]


async def test_a_record_is_anchored_once(world: World) -> None:
    """The second store with the same id is refused by name, and changes nothing."""
    patient, entry = await new_patient(world), new_object()
    record = new_record(patient)
    await world.submit("operator", calls.store_emr(account("hospital"), entry, record))
    before = await world.chain.record(record.record_id)
    again = calls.store_emr(account("hospital"), new_object(), record)
    with pytest.raises(CallRejected) as refused:
        await world.submit("operator", again)
    assert ("Emr", "RecordExists") == (refused.value.pallet, refused.value.name)
    assert before == await world.chain.record(record.record_id)


async def test_a_grant_lives_until_it_is_revoked(world: World) -> None:
    """Every form of key state is read back; a renewed grant replaces the old; a revoked one is gone."""
    patient = await new_patient(world)
    record = new_record(patient)
    await world.submit("operator", calls.store_emr(account("hospital"), new_object(), record))
    scope, grantee = RecordScope(record_id=record.record_id), READABLE.account
    head = await world.chain.finalized_head()
    key = await world.chain.encryption_key(grantee)
    assert key is not None
    inline = Inline(wrapped=secrets.token_bytes(1168), key_version=key.version)
    escrowed = Escrowed(digest=secrets.token_bytes(32), key_version=key.version)
    for state in (Pending(), escrowed, inline):
        call = calls.grant_access(scope, grantee, expires_at=head.number + 500, purpose="Research", key=state)
        await world.submit("operator", call)
        grant = await world.chain.grant(scope, grantee)
        assert grant is not None
        assert (state, "Research", head.number + 500) == (grant.key, grant.purpose, grant.expires_at)
        assert [grant] == list(await world.chain.grants(scope))
    await world.submit("operator", calls.revoke_access(scope, grantee))
    assert await world.chain.grant(scope, grantee) is None


REFUSALS: list[tuple[str, Callable[[bytes], Call], type[Exception], str | None]] = [
    ("stranger", lambda one: calls.register_patient(account("hospital"), one), CallRejected, "NotOperator"),
    ("stranger", lambda one: calls.register_patient(one, one), CallRejected, "OrganisationUnknown"),
    (
        "operator",
        lambda one: calls.revoke_access(RecordScope(record_id=one[:16]), one),
        RecordUnknown,
        None,
    ),
    ("operator", lambda one: calls.revoke_access(PatientScope(patient_id=one), one), PatientUnknown, None),
]


@pytest.mark.parametrize(("who", "make", "kind", "name"), REFUSALS)
async def test_refusals_are_typed(
    world: World, who: str, make: Callable[[bytes], Call], kind: type[Exception], name: str | None
) -> None:
    """The chain's errors become exceptions, by name."""
    with pytest.raises(kind) as refused:
        await world.submit(who, make(secrets.token_bytes(32)))
    assert name == getattr(refused.value, "name", None)


async def test_grant_refusals_are_typed(world: World) -> None:
    """A grantee without a key, and a grant that is not there, have exceptions of their own."""
    patient = await new_patient(world)
    scope = PatientScope(patient_id=patient)
    inline = Inline(wrapped=secrets.token_bytes(1168), key_version=1)
    head = await world.chain.finalized_head()
    call = calls.grant_access(
        scope, account("stranger"), expires_at=head.number + 50, purpose="Treatment", key=inline
    )
    with pytest.raises(NoEncryptionKey):
        await world.submit("operator", call)
    with pytest.raises(NoGrant):
        await world.submit("operator", calls.revoke_access(scope, account("stranger")))


async def test_many_calls_are_in_flight_at_once(world: World) -> None:
    """Results stand in the order of the calls; one that fails does not take the others with it."""
    patients = [secrets.token_bytes(32) for _ in range(20)]
    wanted = [calls.register_patient(account("hospital"), patient) for patient in patients]
    wanted.insert(7, wanted[0])
    results = await world.submitters["operator"].submit_many(wanted)
    failed = [index for index, result in enumerate(results) if isinstance(result, Exception)]
    assert [7] == failed
    assert all([await world.chain.patient(patient) is not None for patient in patients])


async def test_finalized_blocks_come_without_a_gap(world: World) -> None:
    """Block follows block by number, and an event is found where its receipt says."""
    start = (await world.chain.finalized_head()).number
    patient = await new_patient(world)
    seen: list[int] = []
    async with asyncio.timeout(60):
        async for block in world.chain.finalized_blocks(start):
            seen.append(block.ref.number)
            found = [event for event in block.events if event.fields.get("patient") == patient]
            if found:
                break
    assert list(range(start, start + len(seen))) == seen
    assert ["PatientRegistered"] == [event.name for event in found]
    assert account("hospital") == found[0].fields["organisation"]
