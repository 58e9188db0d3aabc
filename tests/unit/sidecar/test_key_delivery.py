"""Keys of grants that were given without one."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from caregrid.chain import PatientScope, RecordScope, calls
from caregrid.chain.port import Escrowed, Inline, Pending
from caregrid.errors import ChainUnreachable
from caregrid.keys import unwrap_data_key, wrap_data_key
from caregrid.sealed import new_data_key
from caregrid.testing import SubmitFault
from ocw_sidecar.ledger.escrow import escrow_digest
from ocw_sidecar.pipeline.sql import Statement
from ocw_sidecar.testing import ORGANISATION, PATIENT
from ocw_sidecar.workers.key_delivery import KeyDeliveryStep
from tests.contract.chain_world import new_object, new_record
from tests.unit.sidecar.worker_world import GRANTEE, Working, mine, working

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from caregrid.chain.port import Grant, Scope
    from caregrid.keys import EncryptionKeyPair

CANARY = b"Canary Patientia, born 1907"


@pytest.fixture
async def sidecar(tmp_path: Path) -> AsyncIterator[Working]:
    """A sidecar that follows a chain."""
    async with working(tmp_path) as opened:
        yield opened


async def deliver(sidecar: Working) -> int:
    """Take blocks in and run the worker once."""
    await sidecar.follow()
    return await KeyDeliveryStep(sidecar.parts.desk).run_once()


async def standing(sidecar: Working, scope: Scope, grantee: bytes = GRANTEE) -> Grant:
    """Return a grant as it stands on the chain."""
    grant = await sidecar.world.chain.grant(scope, grantee)
    assert grant is not None
    return grant


async def test_a_pending_grant_gets_its_key(sidecar: Working) -> None:
    """What lies in escrow is the record's key, opens for the grantee, and has the anchored digest."""
    [record] = await sidecar.store(CANARY)
    pair, scope = await sidecar.publish_key(), RecordScope(record_id=record)
    await sidecar.grant(scope)
    with capture_logs() as logs:
        assert 1 == await deliver(sidecar)
    [kept] = await sidecar.parts.desk.ledger.escrow(scope, GRANTEE)
    digest = hashlib.sha256(kept.wrapped).digest()
    assert Escrowed(digest=digest, key_version=1) == (await standing(sidecar, scope)).key
    own = await sidecar.rig.bench.queue.releasable_key(record)
    assert own is not None
    data_key = sidecar.rig.bench.ports.key_store.unwrap(record, own)
    assert data_key == unwrap_data_key(pair, kept.wrapped, record, GRANTEE)
    assert not any(secret in str(logs) for secret in (GRANTEE.hex(), data_key.hex(), record.hex()))


async def test_nothing_is_delivered_twice(sidecar: Working) -> None:
    """Once delivered, a grant is left alone, before and after its event is taken in."""
    [record] = await sidecar.store(CANARY)
    await sidecar.publish_key()
    await sidecar.grant(RecordScope(record_id=record))
    assert 1 == await deliver(sidecar)
    sent = sidecar.world.submitter.submitted
    step = KeyDeliveryStep(sidecar.parts.desk)
    assert 0 == await step.run_once()
    assert 0 == await deliver(sidecar)
    assert sent == sidecar.world.submitter.submitted


async def test_a_call_that_went_through_unheard_is_not_repeated(sidecar: Working) -> None:
    """After an unknown outcome the chain is looked at first; the key in escrow is the one it knows."""
    [record] = await sidecar.store(CANARY)
    scope = RecordScope(record_id=record)
    await sidecar.publish_key()
    await sidecar.grant(scope)
    sidecar.world.submitter.faults.append(SubmitFault.UNHEARD)
    assert 0 == await deliver(sidecar)
    first, sent = (await standing(sidecar, scope)).key, sidecar.world.submitter.submitted
    sidecar.time.pass_by(120)
    assert 1 == await KeyDeliveryStep(sidecar.parts.desk).run_once()
    assert (first, sent) == ((await standing(sidecar, scope)).key, sidecar.world.submitter.submitted)
    kept = await sidecar.parts.desk.ledger.escrow(scope, GRANTEE)
    assert Escrowed(digest=escrow_digest(scope, kept), key_version=1) == first


async def test_a_lost_call_is_sent_again_with_the_same_key(sidecar: Working) -> None:
    """A call that never ran is sent again, after a pause."""
    [record] = await sidecar.store(CANARY)
    scope = RecordScope(record_id=record)
    await sidecar.publish_key()
    await sidecar.grant(scope)
    sidecar.world.submitter.faults.append(SubmitFault.LOST)
    assert 0 == await deliver(sidecar)
    before = await sidecar.parts.desk.ledger.escrow(scope, GRANTEE)
    assert 0 == await deliver(sidecar), "the pause is not over"
    sidecar.time.pass_by(120)
    assert 1 == await deliver(sidecar)
    assert before == await sidecar.parts.desk.ledger.escrow(scope, GRANTEE)


async def test_a_grantee_without_a_key_is_waited_for(sidecar: Working) -> None:
    """The grant stays pending, others go on; the block in which he sets his key ends the wait."""
    first, second = await sidecar.store(b"one", b"two")
    other = b"\x06" * 32
    await sidecar.publish_key(other)
    await sidecar.grant(RecordScope(record_id=first))
    await sidecar.grant(RecordScope(record_id=second), grantee=other)
    assert 1 == await deliver(sidecar)
    assert isinstance((await standing(sidecar, RecordScope(record_id=first))).key, Pending)
    await sidecar.publish_key()
    assert 1 == await deliver(sidecar)
    assert isinstance((await standing(sidecar, RecordScope(record_id=first))).key, Escrowed)


async def test_a_new_key_of_the_grantee_is_served(sidecar: Working) -> None:
    """Keys that were wrapped to an earlier key are wrapped again."""
    [record] = await sidecar.store(CANARY)
    scope = RecordScope(record_id=record)
    await sidecar.publish_key()
    await sidecar.grant(scope)
    assert 1 == await deliver(sidecar)
    pair = await sidecar.publish_key()
    assert 1 == await deliver(sidecar)
    [kept] = await sidecar.parts.desk.ledger.escrow(scope, GRANTEE)
    assert 2 == kept.key_version
    assert 32 == len(unwrap_data_key(pair, kept.wrapped, record, GRANTEE))


async def test_a_patient_wide_grant_covers_what_is_there(sidecar: Working) -> None:
    """Each record's key is wrapped by itself; the digest on the chain binds the list."""
    ids = await sidecar.store(b"one", b"two", b"three")
    pair, scope = await sidecar.publish_key(), PatientScope(patient_id=PATIENT)
    await sidecar.grant(scope)
    assert 1 == await deliver(sidecar)
    kept = await sidecar.parts.desk.ledger.escrow(scope, GRANTEE)
    assert sorted(ids) == [key.record_id for key in kept]
    assert all(32 == len(unwrap_data_key(pair, key.wrapped, key.record_id, GRANTEE)) for key in kept)
    expected = hashlib.sha256(
        b"caregrid/escrow-list/v1"
        + b"".join(key.record_id + hashlib.sha256(key.wrapped).digest() for key in kept)
    ).digest()
    assert Escrowed(digest=expected, key_version=1) == (await standing(sidecar, scope)).key


async def test_emergencies_come_first(sidecar: Working) -> None:
    """A broken glass is served before grants that have waited longer."""
    records = await sidecar.store(b"one", b"two")
    chain = sidecar.world.chain
    await chain.submitter(ORGANISATION).submit(calls.set_emergency_members([GRANTEE]))
    await sidecar.publish_key()
    await sidecar.grant(RecordScope(record_id=records[0]))
    await sidecar.follow()
    await chain.submitter(GRANTEE).submit(
        calls.open_emergency_access(RecordScope(record_id=records[1]), "ThreatToLife")
    )
    await sidecar.follow()
    pending = await sidecar.parts.desk.ledger.pending(now=sidecar.time() + timedelta(hours=1), limit=1)
    assert [(RecordScope(record_id=records[1]), True)] == [(one.scope, one.emergency) for one in pending]
    assert 2 == await deliver(sidecar)


async def inline(sidecar: Working, record: bytes, pair: EncryptionKeyPair, version: int = 1) -> Inline:
    """Give a grant with some key in it, and return that key."""
    key = Inline(wrapped=wrap_data_key(pair.public_key, bytes(32), record, GRANTEE), key_version=version)
    head = await sidecar.world.chain.finalized_head()
    call = calls.grant_access(
        RecordScope(record_id=record),
        GRANTEE,
        expires_at=head.number + 100,
        purpose="Treatment",
        key=key,
    )
    await sidecar.world.chain.submitter(ORGANISATION).submit(call)
    return key


async def test_a_grant_with_its_key_is_left_alone(sidecar: Working) -> None:
    """Who wrapped the key himself needs no delivery."""
    [record] = await sidecar.store(CANARY)
    key = await inline(sidecar, record, await sidecar.publish_key())
    assert 0 == await deliver(sidecar)
    assert key == (await standing(sidecar, RecordScope(record_id=record))).key


async def test_a_key_in_its_grant_is_replaced_there(sidecar: Working) -> None:
    """After the grantee's next key, so that he reads without a sidecar as before; the payer stays."""
    [record] = await sidecar.store(CANARY)
    scope = RecordScope(record_id=record)
    await inline(sidecar, record, await sidecar.publish_key())
    payer = (await standing(sidecar, scope)).payer
    pair = await sidecar.publish_key()
    assert 1 == await deliver(sidecar)
    grant = await standing(sidecar, scope)
    assert isinstance(grant.key, Inline)
    assert (payer, 2) == (grant.payer, grant.key.key_version)
    assert await data_key_of(sidecar, record) == unwrap_data_key(pair, grant.key.wrapped, record, GRANTEE)
    assert 0 == await deliver(sidecar)


async def data_key_of(sidecar: Working, record: bytes) -> bytes:
    """Return a record's data key."""
    own = await sidecar.rig.bench.queue.releasable_key(record)
    assert own is not None
    return sidecar.rig.bench.ports.key_store.unwrap(record, own)


async def seal_anew(sidecar: Working, record: bytes) -> bytes:
    """Give a record another data key, and return that."""
    fresh = new_data_key()
    wrapped = sidecar.rig.bench.ports.key_store.wrap(record, fresh)
    change = "UPDATE keys SET wrapped = :wrapped WHERE id = :id"
    statement = Statement("change_key", change, change)
    parameters = {"id": record, "wrapped": wrapped}
    await sidecar.rig.database.write(lambda db: db.execute(statement, parameters).rowcount)
    return fresh


@pytest.mark.parametrize("fault", [None, SubmitFault.UNHEARD, SubmitFault.LOST])
async def test_a_record_under_a_new_data_key_is_delivered_anew(
    sidecar: Working, fault: SubmitFault | None
) -> None:
    """In escrow for one, in the grant for another; once each, also when a call's outcome was not heard."""
    [record] = await sidecar.store(CANARY)
    scope, wide = RecordScope(record_id=record), PatientScope(patient_id=PATIENT)
    pair = await sidecar.publish_key()
    await inline(sidecar, record, pair)
    await sidecar.grant(wide)
    assert 1 == await deliver(sidecar)
    before = (await standing(sidecar, wide)).key
    fresh = await seal_anew(sidecar, record)
    assert 2 == await sidecar.parts.desk.ledger.redeliver(record)
    if fault is not None:
        sidecar.world.submitter.faults.append(fault)
        assert 0 == await deliver(sidecar)
        sidecar.time.pass_by(120)
    assert 2 == await deliver(sidecar)
    given, escrowed = (await standing(sidecar, scope)).key, (await standing(sidecar, wide)).key
    assert isinstance(given, Inline)
    assert fresh == unwrap_data_key(pair, given.wrapped, record, GRANTEE)
    [kept] = await sidecar.parts.desk.ledger.escrow(wide, GRANTEE)
    assert fresh == unwrap_data_key(pair, kept.wrapped, record, GRANTEE)
    assert before != escrowed == Escrowed(digest=escrow_digest(wide, [kept]), key_version=1)
    sent = sidecar.world.submitter.submitted
    assert 0 == await deliver(sidecar)
    assert sent == sidecar.world.submitter.submitted


async def test_a_key_that_changes_during_its_delivery_is_delivered_again(sidecar: Working) -> None:
    """What was under way settles nothing: in the end the grant has the new key."""
    [record] = await sidecar.store(CANARY)
    scope, ledger = RecordScope(record_id=record), sidecar.parts.desk.ledger
    pair = await sidecar.publish_key()
    await sidecar.grant(scope)
    await sidecar.follow()
    sidecar.world.submitter.faults.append(SubmitFault.UNHEARD)
    assert 0 == await KeyDeliveryStep(sidecar.parts.desk).run_once()
    fresh = await seal_anew(sidecar, record)
    await ledger.redeliver(record)
    await sidecar.follow()  # takes the delivery of the old key in
    assert 1 == await KeyDeliveryStep(sidecar.parts.desk).run_once()
    [kept] = await ledger.escrow(scope, GRANTEE)
    assert fresh == unwrap_data_key(pair, kept.wrapped, record, GRANTEE)
    assert (
        Escrowed(digest=escrow_digest(scope, [kept]), key_version=1) == (await standing(sidecar, scope)).key
    )


async def test_ended_grants_leave_nothing_in_escrow(sidecar: Working) -> None:
    """One that expires, and those of a record that is erased; of others nothing goes."""
    first, second = await sidecar.store(b"one", b"two")
    wide, chain = PatientScope(patient_id=PATIENT), sidecar.world.chain
    await sidecar.publish_key()
    await sidecar.grant(RecordScope(record_id=first))
    await sidecar.grant(RecordScope(record_id=second), blocks=3)
    await sidecar.grant(wide)
    assert 3 == await deliver(sidecar)
    mine(sidecar.world, 6)
    await chain.submitter(ORGANISATION).submit(calls.erase_record(ORGANISATION, first))
    await sidecar.follow()
    rows = [
        await sidecar.parts.desk.ledger.escrow(RecordScope(record_id=each), GRANTEE)
        for each in (first, second)
    ]
    assert [[], []] == rows
    [kept] = await sidecar.parts.desk.ledger.escrow(wide, GRANTEE)
    assert second == kept.record_id


async def test_revoked_grants_leave_nothing_in_escrow(sidecar: Working) -> None:
    """A grant that is withdrawn takes its key along; one withdrawn before the delivery gets none."""
    [record] = await sidecar.store(CANARY)
    scope, controller = RecordScope(record_id=record), sidecar.world.chain.submitter(ORGANISATION)
    await sidecar.publish_key()
    await sidecar.grant(scope)
    assert 1 == await deliver(sidecar)
    await controller.submit(calls.revoke_access(scope, GRANTEE))
    assert 0 == await deliver(sidecar)
    assert [] == await sidecar.parts.desk.ledger.escrow(scope, GRANTEE)
    await sidecar.grant(scope)
    await sidecar.follow()
    await controller.submit(calls.revoke_access(scope, GRANTEE))
    assert 1 == await KeyDeliveryStep(sidecar.parts.desk).run_once(), "settled: there is none any more"
    assert [] == await sidecar.parts.desk.ledger.escrow(scope, GRANTEE)


async def test_a_record_whose_key_is_not_held_waits_alone(sidecar: Working) -> None:
    """What another system stored for the organisation cannot be delivered from here; others are."""
    [record] = await sidecar.store(CANARY)
    foreign = new_record(PATIENT)
    await sidecar.world.submitter.submit(calls.store_emr_batch(ORGANISATION, new_object(), [foreign]))
    await sidecar.publish_key()
    await sidecar.grant(RecordScope(record_id=foreign.record_id))
    await sidecar.grant(RecordScope(record_id=record))
    assert 1 == await deliver(sidecar)
    assert isinstance((await standing(sidecar, RecordScope(record_id=record))).key, Escrowed)


async def test_an_unreachable_chain_is_waited_out(sidecar: Working) -> None:
    """Without the chain nothing is settled and nothing is lost."""
    [record] = await sidecar.store(CANARY)
    await sidecar.publish_key()
    await sidecar.grant(RecordScope(record_id=record))
    await sidecar.follow()
    sidecar.world.chain.reachable = False
    with pytest.raises(ChainUnreachable):
        await KeyDeliveryStep(sidecar.parts.desk).run_once()
    sidecar.world.chain.reachable = True
    mine(sidecar.world, 1)
    assert 1 == await deliver(sidecar)
