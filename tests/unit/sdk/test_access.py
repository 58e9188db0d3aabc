"""Asking for access, giving it and breaking the glass, on twins in memory."""

from __future__ import annotations

import asyncio
import inspect
import json
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.access import Access, Handover
from caregrid.access.blocking import BlockingAccess
from caregrid.chain import Inline, PatientScope, Pending, RecordScope, calls
from caregrid.chain.limits import EMERGENCY_DURATION, MAX_GRANT_DURATION, MAX_REQUEST_DURATION
from caregrid.chain.refusals import emr
from caregrid.client import EmrClient
from caregrid.errors import (
    AccessRefused,
    ConfigInvalid,
    GrantExpired,
    InputInvalid,
    KeyNotDelivered,
    NoEncryptionKey,
    NoGrant,
    PatientUnknown,
    RecordUnknown,
    WrongKey,
)
from caregrid.intake import SidecarClient
from caregrid.keys import EncryptionKeyPair, Identity
from caregrid.storage import MemoryObjectStore
from caregrid.sync import EmrClient as BlockingClient
from caregrid.testing import MemoryChain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CONTENT = json.dumps({"resourceType": "Patient", "gender": "female"}).encode()


class World:
    """A hospital, one of its patients' records, and people."""

    def __init__(self) -> None:
        self.chain, self.store = MemoryChain(), MemoryObjectStore()

    async def person(self, *, with_key: bool = True) -> EmrClient:
        """Return a new person's client."""
        identity = Identity.generate()
        client = EmrClient(
            identity=identity,
            chain=self.chain,
            submitter=self.chain.submitter(identity.account),
            store=self.store,
        )
        if with_key:
            await client.publish_encryption_key()
        return client

    def mine(self, blocks: int) -> None:
        """Let blocks pass."""
        for _ in range(blocks):
            self.chain.finalize_block()


class Shared:
    """A record, whose it is, who keeps it and who wants to read it."""

    def __init__(
        self, world: World, owner: EmrClient, reader: EmrClient, patient: bytes, record: bytes
    ) -> None:
        self.world, self.owner, self.reader = world, owner, reader
        self.patient, self.record = patient, record
        self.scope, self.wide = RecordScope(record_id=record), PatientScope(patient_id=patient)

    @property
    def account(self) -> bytes:
        """The reader's."""
        return self.reader.identity.account


@pytest.fixture
async def shared() -> AsyncIterator[Shared]:
    """A record of an organisation without a sidecar, and a reader who may not read it."""
    world = World()
    owner, reader = await world.person(), await world.person()
    await owner.submitter.submit(calls.register_organisation([]))
    patient = await owner.register_patient()
    [item] = (await owner.submit(CONTENT, patient_id=patient)).items
    yield Shared(world, owner, reader, patient, item.record_id)
    await world.store.close()
    await world.chain.close()


async def test_requests_are_seen_denied_and_answered(shared: Shared) -> None:
    """By record and by patient; a denied one is gone, and so is one that a grant answers."""
    access = shared.owner.access
    await shared.reader.access.request(shared.record, purpose="Research", blocks=50)
    [asked] = await access.requests(shared.record)
    assert (shared.account, "Research") == (asked.requester, asked.purpose)
    assert [asked] == [each async for each in access.requests_for(shared.patient)]
    await access.deny(shared.record, shared.account)
    assert [] == await access.requests(shared.record)
    await shared.reader.access.request(shared.record)
    await access.grant(shared.scope, shared.account)
    assert [] == await access.requests(shared.record)
    with pytest.raises(emr.RequestUnknown):
        await access.deny(shared.record, shared.account)


async def test_a_request_ends(shared: Shared) -> None:
    """Whether the chain has removed it or not."""
    shared.world.chain.idle = False
    await shared.reader.access.request(shared.record, blocks=3)
    shared.world.mine(4)
    assert [] == await shared.owner.access.requests(shared.record)


@pytest.mark.parametrize(("blocks", "refusal"), [(0, emr.ExpiryInPast), (-5, emr.ExpiryInPast)])
async def test_what_would_end_at_once_is_refused(
    shared: Shared, blocks: int, refusal: type[Exception]
) -> None:
    """Before anything is signed."""
    height = (await shared.world.chain.finalized_head()).number
    with pytest.raises(refusal):
        await shared.reader.access.request(shared.record, blocks=blocks)
    with pytest.raises(refusal):
        await shared.owner.access.grant(shared.scope, shared.account, blocks=blocks)
    assert height == (await shared.world.chain.finalized_head()).number


async def test_what_would_last_too_long_is_refused(shared: Shared) -> None:
    """The chain has a limit for each."""
    with pytest.raises(emr.ExpiryTooFar):
        await shared.reader.access.request(shared.record, blocks=MAX_REQUEST_DURATION + 1)
    with pytest.raises(emr.ExpiryTooFar):
        await shared.owner.access.grant(shared.scope, shared.account, blocks=MAX_GRANT_DURATION + 1)


async def test_a_grant_comes_with_its_key_or_waits_for_it(shared: Shared) -> None:
    """Inline without a sidecar; escrowed and pending ones, and patients', are the custodian's to serve."""
    access = shared.owner.access
    expected = {None: Inline, Handover.INLINE: Inline, Handover.ESCROWED: Pending, Handover.PENDING: Pending}
    for handover, kind in expected.items():
        await access.grant(shared.scope, shared.account, handover=handover)
        grant = await shared.world.chain.grant(shared.scope, shared.account)
        assert grant is not None
        assert isinstance(grant.key, kind)
    await access.grant(shared.wide, shared.account)
    his = [each.scope for each in await access.grants_on(shared.scope) if each.grantee == shared.account]
    assert [shared.scope, shared.wide] == his
    assert [shared.wide] == [grant.scope for grant in await access.grants_on(shared.wide)]
    with pytest.raises(InputInvalid, match="one key"):
        await access.grant(shared.wide, shared.account, handover=Handover.INLINE)


async def test_with_a_sidecar_the_key_is_left_to_it(shared: Shared) -> None:
    """A client whose profile names one gives grants without a key."""
    owner = shared.owner
    sidecar = SidecarClient("http://127.0.0.1:9", "token")
    managed = EmrClient(
        identity=owner.identity,
        chain=owner.chain,
        submitter=owner.submitter,
        store=owner.store,
        sidecar=sidecar,
    )
    await managed.grant(shared.record, shared.account)
    grant = await shared.world.chain.grant(shared.scope, shared.account)
    assert grant is not None
    assert isinstance(grant.key, Pending)
    await sidecar.close()


async def test_a_grantee_needs_an_encryption_key(shared: Shared) -> None:
    """The error says what he has to do; a pending grant may wait for it."""
    keyless = (await shared.world.person(with_key=False)).identity.account
    for scope, handover in ((shared.scope, None), (shared.scope, Handover.ESCROWED), (shared.wide, None)):
        with pytest.raises(NoEncryptionKey, match="publish_encryption_key"):
            await shared.owner.access.grant(scope, keyless, handover=handover)
    await shared.owner.access.grant(shared.scope, keyless, handover=Handover.PENDING)
    assert keyless in {grant.grantee for grant in await shared.owner.access.grants_on(shared.scope)}


async def test_only_who_decides_gives_and_takes(shared: Shared) -> None:
    """Whoever else tries is refused as one who may not."""
    with pytest.raises(AccessRefused):
        await shared.reader.access.grant(shared.scope, shared.account, handover=Handover.PENDING)
    await shared.owner.access.grant(shared.scope, shared.account)
    for attempt in (
        shared.reader.access.revoke(shared.scope, shared.account),
        shared.reader.access.extend(shared.scope, shared.account, blocks=100_000),
        shared.reader.access.deny(shared.record, shared.account),
    ):
        with pytest.raises((AccessRefused, emr.RequestUnknown)):
            await attempt


async def test_unknown_things_are_named(shared: Shared) -> None:
    """A record and a patient by their own errors, a grant by its own."""
    nothing, nobody = RecordScope(record_id=bytes(16)), PatientScope(patient_id=bytes(32))
    access = shared.owner.access
    for attempt in (
        access.grant(nothing, shared.account),
        access.grants_on(nothing),
        access.requests(bytes(16)),
        access.request(bytes(16)),
    ):
        with pytest.raises(RecordUnknown):
            await attempt
    for wide in (
        access.grant(nobody, shared.account),
        access.grants_on(nobody),
        anext(access.requests_for(bytes(32))),
    ):
        with pytest.raises(PatientUnknown):
            await wide
    for missing in (
        access.extend(shared.scope, shared.account),
        access.revoke(shared.scope, shared.account),
        access.delivered(shared.scope, shared.account),
    ):
        with pytest.raises(NoGrant):
            await missing
    with pytest.raises(InputInvalid, match="purpose"):
        await access.grant(shared.scope, shared.account, purpose="Curiosity")


async def test_a_grant_is_extended_with_its_key(shared: Shared) -> None:
    """Not shortened, not raised from the dead; after the holder's next key another must be delivered."""
    access, chain = shared.owner.access, shared.world.chain
    await access.grant(shared.scope, shared.account, blocks=20, purpose="Research")
    before = await chain.grant(shared.scope, shared.account)
    await access.extend(shared.scope, shared.account, blocks=50)
    after = await chain.grant(shared.scope, shared.account)
    assert before is not None
    assert after is not None
    assert (before.key, before.purpose) == (after.key, after.purpose)
    assert before.expires_at < after.expires_at
    assert CONTENT == await shared.reader.get(shared.record)
    with pytest.raises(InputInvalid, match="already"):
        await access.extend(shared.scope, shared.account, blocks=5)
    await shared.reader.submitter.submit(calls.set_encryption_key(EncryptionKeyPair.generate().public_key))
    await access.extend(shared.scope, shared.account, blocks=100)
    renewed = await chain.grant(shared.scope, shared.account)
    assert renewed is not None
    assert isinstance(renewed.key, Pending)
    chain.idle = False
    shared.world.mine(120)
    with pytest.raises(GrantExpired):
        await access.extend(shared.scope, shared.account)


async def test_a_reader_hears_why_he_has_no_key(shared: Shared) -> None:
    """Not delivered, kept by a custodian whom his profile does not name, for an earlier key, or none."""
    access, reader = shared.owner.access, shared.reader
    with pytest.raises(NoGrant):
        await reader.get(shared.record)
    for scope in (shared.wide, shared.scope):
        await access.grant(scope, shared.account, handover=Handover.PENDING)
        with pytest.raises(KeyNotDelivered):
            await reader.get(shared.record)
    with pytest.raises(KeyNotDelivered):
        await access.delivered(shared.scope, shared.account, timeout_s=0.01)
    await access.grant(shared.scope, shared.account)
    assert isinstance((await access.delivered(shared.scope, shared.account)).key, Inline)
    reader.identity.encryption = EncryptionKeyPair.generate()
    with pytest.raises(WrongKey):
        await reader.get(shared.record)
    with pytest.raises(ConfigInvalid, match="sidecar"):
        await anext(access.releases(shared.record))


async def test_breaking_the_glass(shared: Shared) -> None:
    """Only members may, for a reason of the list, once, and for hours."""
    access, chain = shared.reader.access, shared.world.chain
    with pytest.raises(AccessRefused):
        await access.open_emergency(shared.scope, reason="ThreatToLife")
    await shared.owner.access.set_emergency_members([shared.account])
    with pytest.raises(InputInvalid, match="reason"):
        await access.open_emergency(shared.scope, reason="Curiosity")
    receipt = await access.open_emergency(shared.wide, reason="ThreatToLife")
    grant = await chain.grant(shared.wide, shared.account)
    assert grant is not None
    assert ("EmergencyTreatment", receipt.block.number + EMERGENCY_DURATION) == (
        grant.purpose,
        grant.expires_at,
    )


def test_the_blocking_client_has_all_of_it() -> None:
    """Each method, with the same parameters."""

    def methods(kind: Any) -> dict[str, list[str]]:
        found = inspect.getmembers(kind, inspect.isfunction)
        return {name: list(inspect.signature(each).parameters) for name, each in found if name[0] != "_"}

    assert methods(Access) == methods(BlockingAccess)


def test_the_blocking_client_gives_and_takes() -> None:
    """Without `await`."""
    world = World()
    with BlockingClient(asyncio.run(world.person())) as owner:
        client = owner._client
        owner._run(client.submitter.submit(calls.register_organisation([])))
        patient, friend = owner.register_patient(), Identity.generate().account
        scope = PatientScope(patient_id=patient)
        owner.access.grant(scope, friend, handover=Handover.PENDING)
        assert [friend] == [grant.grantee for grant in owner.access.grants_on(scope)]
        assert [] == owner.access.requests_for(patient)
        owner.access.revoke(scope, friend)
        assert [] == owner.access.grants_on(scope)
