"""The chain's twin in memory follows the pallet's rules."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from caregrid.chain import Escrowed, Inline, PatientScope, Pending, RecordScope, calls
from caregrid.errors import (
    CallRejected,
    CaregridError,
    ChainTimeout,
    ChainUnreachable,
    NoEncryptionKey,
    NoGrant,
    PatientUnknown,
    RecordUnknown,
)
from caregrid.records import ObjectEntry, RecordEntry, RecordFormat
from caregrid.testing import MemoryChain, MemorySubmitter, SubmitFault

HOSPITAL, OPERATOR, STRANGER, READER = (bytes([number]) * 32 for number in range(1, 5))
PATIENT, WALLET = b"p" * 32, b"w" * 32
OBJECT = ObjectEntry(object_id=b"o" * 32, size=100, record_count=2, manifest_root=b"r" * 32)


def record(number: int, **changes: Any) -> RecordEntry:
    """Return a record that fits into the object."""
    fields = {
        "record_id": bytes([number]) * 16,
        "patient_id": PATIENT,
        "offset": 0,
        "length": 50,
        "digest": b"d" * 32,
        "format": RecordFormat.DICOM,
    }
    return RecordEntry(**{**fields, **changes})


@pytest.fixture
async def chain() -> MemoryChain:
    """A chain with a hospital, its operator and a patient."""
    made = MemoryChain()
    await made.submitter(HOSPITAL).submit(calls.register_organisation([OPERATOR]))
    await made.submitter(OPERATOR).submit(calls.register_patient(HOSPITAL, PATIENT))
    return made


@pytest.fixture
def operator(chain: MemoryChain) -> MemorySubmitter:
    """The hospital's operator."""
    return chain.submitter(OPERATOR)


async def refused(submitter: MemorySubmitter, call: Any) -> str:
    """Return the name under which the chain refuses a call."""
    with pytest.raises(CallRejected) as caught:
        await submitter.submit(call)
    return caught.value.name


async def test_batch_rejects_only_what_it_must(chain: MemoryChain, operator: MemorySubmitter) -> None:
    """One record that is there already, or makes no sense, does not keep the others out."""
    await operator.submit(calls.store_emr_batch(HOSPITAL, OBJECT, [record(1)]))
    receipt = await operator.submit(
        calls.store_emr_batch(
            HOSPITAL,
            OBJECT,
            [record(1), record(2, offset=51), record(3, patient_id=STRANGER), record(4), record(5)],
        )
    )
    named = [(event.name, event.fields["record"][0], event.fields.get("reason")) for event in receipt.events]
    assert [
        ("RecordStored", 4, None),
        ("RecordRejected", 1, "RecordExists"),
        ("RecordRejected", 2, "OutsideObject"),
        ("RecordRejected", 3, "PatientUnknown"),
        ("RecordRejected", 5, "ObjectFull"),
    ] == named
    stored = await chain.stored_object(OBJECT.object_id)
    assert stored is not None
    assert (OBJECT, HOSPITAL, 2) == (stored.entry, stored.custodian, stored.anchored_records)


async def test_records_are_read_back_as_anchored(chain: MemoryChain, operator: MemorySubmitter) -> None:
    """What is read is what was anchored, with its block; what is not there is left out."""
    receipt = await operator.submit(calls.store_emr(HOSPITAL, OBJECT, record(1, offset=7)))
    found = await chain.records([record(1).record_id, record(2).record_id])
    assert {record(1).record_id} == set(found)
    (one,) = found.values()
    assert one == await chain.record(record(1).record_id)
    assert (OBJECT.object_id, 7, 50, RecordFormat.DICOM, receipt.block.number) == (
        one.object_id,
        one.offset,
        one.length,
        one.format,
        one.anchored_at,
    )


async def test_refusals_bear_the_pallets_names(chain: MemoryChain, operator: MemorySubmitter) -> None:
    """Who may not, or describes an object anew, hears the same as from the pallet."""
    batch = calls.store_emr_batch(HOSPITAL, OBJECT, [record(1)])
    stranger = chain.submitter(STRANGER)
    assert "NotOperator" == await refused(stranger, batch)
    assert "OrganisationUnknown" == await refused(stranger, calls.set_operators([]))
    assert "OrganisationExists" == await refused(chain.submitter(HOSPITAL), calls.register_organisation([]))
    assert "PatientExists" == await refused(operator, calls.register_patient(HOSPITAL, PATIENT))
    await operator.submit(batch)
    other_size = ObjectEntry(object_id=OBJECT.object_id, size=99, record_count=2, manifest_root=b"r" * 32)
    assert "ObjectMismatch" == await refused(
        operator, calls.store_emr_batch(HOSPITAL, other_size, [record(2)])
    )
    await stranger.submit(calls.register_organisation([]))
    assert "ObjectForeign" == await refused(stranger, calls.store_emr_batch(STRANGER, OBJECT, [record(2)]))
    assert "RecordExists" == await refused(operator, calls.store_emr(HOSPITAL, OBJECT, record(1)))


async def test_grants_follow_the_controller(chain: MemoryChain, operator: MemorySubmitter) -> None:
    """Until a patient has his own account the hospital decides; then only he."""
    await operator.submit(calls.store_emr(HOSPITAL, OBJECT, record(1)))
    await operator.submit(calls.register_patient(HOSPITAL, b"q" * 32, WALLET))
    scope = PatientScope(patient_id=PATIENT)
    granted = calls.grant_access(scope, READER, expires_at=100, purpose="Treatment", key=Pending())
    receipt = await operator.submit(granted)
    assert {"Patient": PATIENT} == receipt.events[0].fields["scope"]
    (grant,) = await chain.grants(scope)
    assert grant == await chain.grant(scope, READER)
    assert (100, "Treatment", Pending()) == (grant.expires_at, grant.purpose, grant.key)

    own = PatientScope(patient_id=b"q" * 32)
    for_own = calls.grant_access(own, READER, expires_at=100, purpose="Treatment", key=Pending())
    assert "NotController" == await refused(operator, for_own)
    await chain.submitter(WALLET).submit(for_own)
    await chain.submitter(WALLET).submit(calls.revoke_access(own, READER))
    assert await chain.grant(own, READER) is None


async def test_grants_check_expiry_and_key(chain: MemoryChain, operator: MemorySubmitter) -> None:
    """A grant that would be dead, or whose key nobody could open, is refused."""
    await operator.submit(calls.store_emr(HOSPITAL, OBJECT, record(1)))
    scope = RecordScope(record_id=record(1).record_id)

    def grant(key: Any, expires_at: int = 100) -> Any:
        return calls.grant_access(scope, READER, expires_at=expires_at, purpose="Research", key=key)

    assert "ExpiryInPast" == await refused(operator, grant(Pending(), expires_at=1))
    assert "ExpiryTooFar" == await refused(operator, grant(Pending(), expires_at=(1 << 32) - 1))
    escrowed = Escrowed(digest=b"d" * 32, key_version=1)
    with pytest.raises(NoEncryptionKey):
        await operator.submit(grant(escrowed))
    await chain.submitter(READER).submit(calls.set_encryption_key(bytes(1216)))
    await operator.submit(grant(escrowed))
    inline = Inline(wrapped=bytes(1168), key_version=1)
    await operator.submit(grant(inline))
    held = await chain.grant(scope, READER)
    assert held is not None
    assert inline == held.key
    await chain.submitter(READER).submit(calls.set_encryption_key(bytes(1216)))
    assert "EncryptionKeyStale" == await refused(operator, grant(escrowed))
    key = await chain.encryption_key(READER)
    assert key is not None
    assert 2 == key.version


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (calls.revoke_access(RecordScope(record_id=bytes(16)), READER), RecordUnknown),
        (calls.revoke_access(PatientScope(patient_id=bytes(32)), READER), PatientUnknown),
        (calls.revoke_access(PatientScope(patient_id=PATIENT), READER), NoGrant),
    ],
)
async def test_some_refusals_have_their_own_class(
    operator: MemorySubmitter, call: Any, error: type[CaregridError]
) -> None:
    """The twin raises what the real client raises."""
    with pytest.raises(error):
        await operator.submit(call)


async def test_what_expires_is_removed_in_idle_time(chain: MemoryChain, operator: MemorySubmitter) -> None:
    """The block in which a grant gives nothing any more removes it, unless it is full."""
    scope = PatientScope(patient_id=PATIENT)
    head = await chain.finalized_head()
    short = calls.grant_access(scope, READER, expires_at=head.number + 3, purpose="Treatment", key=Pending())
    await operator.submit(short)
    assert await chain.grant(scope, READER) is not None
    chain.finalize_block()
    block = chain.finalize_block()
    assert ["AccessExpired"] == [event.name for event in block.events]
    assert await chain.grant(scope, READER) is None

    chain.idle = False
    head = await chain.finalized_head()
    await operator.submit(
        calls.grant_access(scope, READER, expires_at=head.number + 2, purpose="Treatment", key=Pending())
    )
    assert () == chain.finalize_block().events
    left = await chain.grant(scope, READER)
    assert left is not None
    assert not left.is_live((await chain.finalized_head()).number)


async def test_calls_wait_in_the_pool_for_a_block(chain: MemoryChain, operator: MemorySubmitter) -> None:
    """With blocks on demand nothing happens before the block, then everything in order."""
    chain.finalize_on_submit = False
    batch = [calls.store_emr(HOSPITAL, OBJECT, record(1)), calls.store_emr(HOSPITAL, OBJECT, record(1))]
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        waiting = group.create_task(operator.submit_many(batch))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        assert await chain.record(record(1).record_id) is None
        block = chain.finalize_block()
    first, second = waiting.result()
    assert not isinstance(first, Exception)
    assert block.ref == first.block == await chain.finalized_head()
    assert isinstance(second, CallRejected)
    assert list(first.events) == list(block.events)


async def test_blocks_are_followed_without_a_gap(chain: MemoryChain) -> None:
    """A follower sees every block from its start on, those to come included."""

    async def follow() -> list[int]:
        numbers: list[int] = []
        async for block in chain.finalized_blocks(1):
            numbers.append(block.ref.number)
            if len(numbers) == 4:
                break
        return numbers

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        following = group.create_task(follow())
        await asyncio.sleep(0.01)
        chain.finalize_block()
        await asyncio.sleep(0.01)
        chain.finalize_block()
    assert [1, 2, 3, 4] == following.result()


@pytest.mark.parametrize(
    ("fault", "error", "runs"),
    [
        (SubmitFault.UNREACHABLE, ChainUnreachable, False),
        (SubmitFault.LOST, ChainTimeout, False),
        (SubmitFault.UNHEARD, ChainTimeout, True),
    ],
)
async def test_faults_come_as_ordered(
    chain: MemoryChain,
    operator: MemorySubmitter,
    fault: SubmitFault,
    error: type[CaregridError],
    *,
    runs: bool,
) -> None:
    """Each fault strikes one call, with or without its effect; the next call is fine."""
    operator.faults.append(fault)
    with pytest.raises(error):
        await operator.submit(calls.store_emr(HOSPITAL, OBJECT, record(1)))
    assert runs == (await chain.record(record(1).record_id) is not None)
    await operator.submit(calls.store_emr(HOSPITAL, OBJECT, record(2)))


async def test_unreachable_chain_answers_nothing(chain: MemoryChain, operator: MemorySubmitter) -> None:
    """During an outage reads and submissions fail alike."""
    chain.reachable = False
    with pytest.raises(ChainUnreachable):
        await chain.finalized_head()
    with pytest.raises(ChainUnreachable):
        await chain.records([bytes(16)])
    with pytest.raises(ChainUnreachable):
        await operator.submit(calls.set_operators([]))


async def test_transfers_move_what_is_there(chain: MemoryChain) -> None:
    """Tokens come from `endow` and do not grow on the way."""
    chain.endow(WALLET, 10)
    await chain.submitter(WALLET).submit(calls.transfer(READER, 4))
    assert (6, 4) == (await chain.balance(WALLET), await chain.balance(READER))
    assert "Token.FundsUnavailable" == await refused(chain.submitter(WALLET), calls.transfer(READER, 7))
