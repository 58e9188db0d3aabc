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
from caregrid.testing import SubmitFault
from ocw_sidecar.ledger.escrow import escrow_digest
from ocw_sidecar.testing import ORGANISATION, PATIENT
from ocw_sidecar.workers.key_delivery import KeyDeliveryStep
from tests.contract.chain_world import new_object, new_record
from tests.unit.sidecar.worker_world import GRANTEE, Working, mine, working

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from caregrid.chain.port import Grant, Scope

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


async def test_a_grant_with_its_key_is_left_alone(sidecar: Working) -> None:
    """Who wrapped the key himself needs no delivery."""
    [record] = await sidecar.store(CANARY)
    pair, scope = await sidecar.publish_key(), RecordScope(record_id=record)
    wrapped = wrap_data_key(pair.public_key, bytes(32), record, GRANTEE)
    head = await sidecar.world.chain.finalized_head()
    key = Inline(wrapped=wrapped, key_version=1)
    await sidecar.world.chain.submitter(ORGANISATION).submit(
        calls.grant_access(scope, GRANTEE, expires_at=head.number + 100, purpose="Treatment", key=key)
    )
    assert 0 == await deliver(sidecar)
    assert key == (await standing(sidecar, scope)).key


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
