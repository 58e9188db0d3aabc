"""Organisations, patients and encryption keys on every chain adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caregrid.chain import Call, EncryptionKey, Organisation, Patient, calls
from tests.contract.chain_world import NODE_ONLY, ONE_LOOP, UNIT, covers, emr, name_of, new_id, public_key

if TYPE_CHECKING:
    from tests.contract.chain_world import World

pytestmark = ONE_LOOP


@covers(
    "Emr",
    made="register_organisation set_operators set_emergency_members",
    reported="OrganisationRegistered OperatorsSet EmergencyMembersSet",
)
async def test_an_organisation_names_who_acts_for_it(world: World) -> None:
    """Operators and emergency role are replaced as wholes, reported in order, and read back."""
    founder, first, second = world.account("founder"), b"\x02" * 32, b"\x01" * 32
    events = await world.submit(
        "founder",
        calls.register_organisation([first, second]),
        calls.set_operators([first]),
        calls.set_emergency_members([first, second]),
    )
    assert [
        emr("OrganisationRegistered", organisation=founder),
        emr("OperatorsSet", organisation=founder, operators=[second, first]),
        emr("OperatorsSet", organisation=founder, operators=[first]),
        emr("EmergencyMembersSet", organisation=founder, members=[second, first]),
    ] == events
    found = await world.chain.organisation(founder)
    assert found == Organisation(
        account=founder, operators=frozenset({first}), emergency=frozenset({first, second}), tombstones=0
    )


@covers("Emr", refused="OrganisationExists OrganisationUnknown NotOperator DuplicateOperator DuplicateMember")
async def test_refusals_about_organisations(world: World) -> None:
    """Who is none, or is one already, or names somebody twice, is told so by name; nothing changes."""
    twice = ["0x" + bytes(32).hex()] * 2
    hospital = await world.chain.organisation(world.account("hospital"))
    assert [
        "Emr.OrganisationExists",
        "Emr.DuplicateOperator",
        "Emr.DuplicateMember",
        "Emr.OrganisationUnknown",
        "Emr.OrganisationUnknown",
        "Emr.DuplicateOperator",
        "Emr.OrganisationUnknown",
        "Emr.NotOperator",
    ] == await world.refused(
        ("hospital", calls.register_organisation([])),
        ("hospital", Call(pallet="Emr", function="set_operators", params={"operators": twice})),
        ("hospital", Call(pallet="Emr", function="set_emergency_members", params={"members": twice})),
        ("stranger", calls.set_operators([])),
        ("stranger", calls.set_emergency_members([])),
        ("stranger", Call(pallet="Emr", function="register_organisation", params={"operators": twice})),
        ("stranger", calls.register_patient(new_id(), new_id())),
        ("stranger", calls.register_patients(world.account("hospital"), [(new_id(), None)])),
    )
    assert hospital == await world.chain.organisation(world.account("hospital"))
    assert await world.chain.organisation(world.account("stranger")) is None


@covers(
    "Emr",
    made="register_patient register_patients",
    reported="PatientRegistered PatientRejected",
    refused="PatientExists",
)
async def test_patients_are_registered_one_by_one_and_together(world: World) -> None:
    """An id is given once; in a batch only the repeated one is left out, and everybody is read back."""
    hospital, wallet = world.account("hospital"), world.account("wallet")
    one, two, three = new_id(), new_id(), new_id()
    events = await world.submit(
        "operator",
        calls.register_patient(hospital, one),
        calls.register_patients(hospital, [(two, wallet), (one, wallet), (three, None)]),
    )
    assert [
        emr("PatientRegistered", patient=one, organisation=hospital, controller=hospital),
        emr("PatientRegistered", patient=two, organisation=hospital, controller=wallet),
        emr("PatientRejected", patient=one, organisation=hospital, reason="PatientExists"),
        emr("PatientRegistered", patient=three, organisation=hospital, controller=hospital),
    ] == events
    found = await world.chain.patient(two)
    assert found == Patient(patient_id=two, organisation=hospital, controller=wallet, offered_to=None)
    assert ["Emr.PatientExists"] == await world.refused(("operator", calls.register_patient(hospital, one)))


@covers(
    "Emr",
    made="offer_patient claim_patient",
    reported="PatientOffered PatientClaimed",
    refused="NotOffered NotController PatientUnknown",
)
async def test_a_patient_takes_his_entry_over(world: World) -> None:
    """An offer is replaced by the next; only who is offered takes it; then only he decides."""
    hospital, wallet, reader = (world.account(who) for who in ("hospital", "wallet", "reader"))
    patient = new_id()
    events = await world.submit(
        "operator",
        calls.register_patient(hospital, patient),
        calls.offer_patient(patient, reader),
        calls.offer_patient(patient, wallet),
    )
    assert emr("PatientOffered", patient=patient, organisation=hospital, to=wallet) == events[-1]
    offered = await world.chain.patient(patient)
    assert offered is not None
    assert (hospital, wallet) == (offered.controller, offered.offered_to)

    assert ["Emr.NotOffered", "Emr.PatientUnknown"] == await world.refused(
        ("reader", calls.claim_patient(patient)), ("reader", calls.claim_patient(new_id()))
    )
    assert [
        emr("PatientClaimed", patient=patient, organisation=hospital, controller=wallet)
    ] == await world.submit("wallet", calls.claim_patient(patient))
    found = await world.chain.patient(patient)
    assert found == Patient(patient_id=patient, organisation=hospital, controller=wallet, offered_to=None)
    assert [
        "Emr.NotController",
        "Emr.NotController",
        "Emr.PatientUnknown",
        "Emr.NotOffered",
    ] == await world.refused(
        ("operator", calls.offer_patient(patient, reader)),
        ("hospital", calls.offer_patient(patient, reader)),
        ("hospital", calls.offer_patient(new_id(), reader)),
        ("wallet", calls.claim_patient(patient)),
    )


@covers("Emr", made="set_encryption_key", reported="EncryptionKeySet")
async def test_an_encryption_key_gets_a_new_version_each_time(world: World) -> None:
    """The first is 1; the last one stands."""
    account, first, last = world.account("stranger"), bytes(1216), public_key(world, "stranger")
    events = await world.submit("stranger", calls.set_encryption_key(first), calls.set_encryption_key(last))
    assert [
        emr("EncryptionKeySet", account=account, version=1),
        emr("EncryptionKeySet", account=account, version=2),
    ] == events
    found = await world.chain.encryption_key(account)
    assert found == EncryptionKey(account=account, public_key=last, version=2)


@NODE_ONLY
@covers("Emr", refused="DepositUnpayable")
async def test_a_deposit_that_cannot_be_paid_is_told_so(world: World) -> None:
    """A single patient is refused by name; in a batch those that can be paid for go through."""
    poor = world.newcomer("poor")
    await world.submit("funder", calls.transfer(poor, 60 * UNIT // 1_000))
    _, several, single = await world.outcomes(
        "poor",
        calls.register_organisation([]),
        calls.register_patients(poor, [(new_id(), None) for _ in range(9)]),
        calls.register_patient(poor, new_id()),
    )
    assert not isinstance(several, Exception)
    names = [(event.name, event.fields.get("reason")) for event in world.own(several)]
    assert ("PatientRegistered", None) == names[0]
    assert ("PatientRejected", "DepositUnpayable") == names[-1]
    assert "Emr.DepositUnpayable" == name_of(single)
