"""How calls come to the chain: in flight together, in batches, for others; and refusals inside others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caregrid.chain import Call, PatientScope, Pending, Receipt, SubstrateSubmitter, calls, flights, signing
from caregrid.chain.refusals import emr as refused
from caregrid.keys import Identity
from tests.contract.chain_world import NODE_ONLY, ONE_LOOP, UNIT, covers, name_of, new_id, sign

if TYPE_CHECKING:
    import pytest

    from tests.contract.chain_world import World

pytestmark = ONE_LOOP

#: The development genesis makes her the superuser.
SUDO = "//Alice"


async def test_many_calls_are_in_flight_at_once(world: World) -> None:
    """Results stand in the order of the calls; one that fails does not take the others with it."""
    patients = [new_id() for _ in range(40)]
    wanted = [calls.register_patient(world.account("hospital"), patient) for patient in patients]
    wanted.insert(7, wanted[0])
    results = await world.outcomes("operator", *wanted)
    assert [7] == [index for index, result in enumerate(results) if isinstance(result, Exception)]
    assert isinstance(results[7], refused.PatientExists)
    blocks = [result.block.number for result in results if isinstance(result, Receipt)]
    assert sorted(blocks) == blocks
    assert all([await world.chain.patient(patient) is not None for patient in patients])


async def test_a_batch_is_made_whole_or_not_at_all(world: World) -> None:
    """The inner refusal is the outer one's class, and what came before it is undone."""
    hospital, first, second = world.account("hospital"), new_id(), new_id()
    good = [calls.register_patient(hospital, each) for each in (first, second)]
    [outcome] = await world.outcomes("operator", calls.batch_all([*good, good[0]]))
    assert isinstance(outcome, refused.PatientExists)
    assert await world.chain.patient(first) is None
    events = await world.submit("operator", calls.batch_all(good))
    assert [first, second] == [event.fields["patient"] for event in events]


async def test_a_worker_acts_for_the_organisation(world: World) -> None:
    """A proxy of that type works; it neither decides nor erases nor pays, and it ends when it is removed."""
    hospital, worker, patient = world.account("hospital"), world.account("worker"), new_id()
    register = calls.proxy(hospital, calls.register_patient(hospital, patient))
    assert ["Proxy.NotProxy"] == await world.refused(("worker", register))
    await world.submit("hospital", calls.add_proxy(worker))
    [event] = await world.submit("worker", register)
    assert (patient, hospital) == (event.fields["patient"], event.fields["organisation"])
    scope = PatientScope(patient_id=patient)
    beyond = [
        calls.set_operators([worker]),
        calls.set_emergency_members([worker]),
        calls.offer_patient(patient, worker),
        calls.grant_access(scope, worker, expires_at=1, purpose="Treatment", key=Pending()),
        calls.revoke_access(scope, worker),
        calls.erase_record(hospital, new_id(16)),
        calls.transfer(worker, UNIT),
    ]
    assert ["Emr.PatientExists", *["System.CallFiltered"] * len(beyond)] == await world.refused(
        ("worker", register), *(("worker", calls.proxy(hospital, call)) for call in beyond)
    )
    await world.submit("hospital", calls.remove_proxy(worker))
    assert ["Proxy.NotProxy"] == await world.refused(("worker", register))


@covers("Emr", made="set_operators", refused="NotOperator")
async def test_an_operator_removed_after_signing_is_refused(world: World) -> None:
    """What counts is who acts when the call is executed, not when it was signed; nothing changes."""
    founder, patient = world.newcomer("short-lived"), new_id()
    await world.submit("funder", calls.transfer(founder, UNIT))
    await world.submit("short-lived", calls.register_organisation([world.account("worker")]))
    send = await world.signed("worker", calls.register_patient(founder, patient))
    await world.submit("short-lived", calls.set_operators([]))
    assert "Emr.NotOperator" == name_of(await send())
    assert await world.chain.patient(patient) is None


@NODE_ONLY
async def test_refusals_inside_other_calls(world: World) -> None:
    """A batch that goes on, one that stops, a proxied batch, a superuser: each yields the inner class."""
    hospital, patient = world.account("hospital"), new_id()
    world.people["sudo"] = Identity.from_uri(SUDO)
    register = calls.register_patient(hospital, patient)
    twice = calls.batch_all([register, register]).params
    proxied = calls.proxy(hospital, register).params["call"]
    await world.submit("hospital", calls.add_proxy(world.account("worker")))

    def sudo(function: str, **params: Any) -> Call:
        return Call(pallet="Sudo", function=function, params={**params, "call": proxied})

    assert ["Emr.PatientExists"] == await world.refused(
        ("operator", Call(pallet="Utility", function="force_batch", params=twice))
    )
    assert await world.chain.patient(patient) is not None
    batch = Call(pallet="Utility", function="batch", params=twice)
    assert [
        "Emr.PatientExists",
        "Emr.PatientExists",
        "Emr.PatientExists",
        "System.BadOrigin",
        "System.CallFiltered",
    ] == await world.refused(
        ("operator", batch),
        ("worker", calls.proxy(hospital, register)),
        ("sudo", sudo("sudo_as", who={"Id": "0x" + hospital.hex()})),
        ("sudo", sudo("sudo")),
        ("worker", calls.proxy(hospital, batch)),
    )
    await world.submit("hospital", calls.remove_proxy(world.account("worker")))


@NODE_ONLY
async def test_a_call_is_mortal_and_counts_one_nonce(world: World) -> None:
    """Its era is 64 blocks from the finalized head; each call takes the next nonce, refused ones, too."""
    submitter = world.submitter("operator")
    assert isinstance(submitter, SubstrateSubmitter)
    call = calls.register_patient(world.account("hospital"), new_id())
    before = await next_nonce(submitter)
    results = await world.outcomes("operator", call, call, call)
    assert [False, True, True] == [isinstance(result, Exception) for result in results]
    assert before + 3 == await next_nonce(submitter)

    born = await world.height()
    signed = await sign(submitter, call)
    assert born <= signed.born <= born + 2
    assert signed.born + signing.ERA_PERIOD == signed.last
    assert era_of(signed.raw) == (signing.ERA_PERIOD, signed.born % signing.ERA_PERIOD)


@NODE_ONLY
async def test_a_call_whose_era_has_ended_is_signed_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool refuses what was signed too long ago, and the call goes through all the same, once."""
    await world.reach(8)
    era, old_eras = signing.era, [b"\x01\x00"]  # four blocks, the first of which was a fourth one

    def too_old_at_first(born: int) -> bytes:
        return old_eras.pop() if old_eras else era(born)

    monkeypatch.setattr(signing, "era", too_old_at_first)
    patient = new_id()
    [event] = await world.submit("operator", calls.register_patient(world.account("hospital"), patient))
    assert [] == old_eras
    assert patient == event.fields["patient"]


async def next_nonce(submitter: SubstrateSubmitter) -> int:
    """Return the node's count of an account's calls, those in the pool included."""
    return await submitter._connection.run(lambda client: flights.next_nonce(client, submitter.account))


def era_of(raw: bytes) -> tuple[int, int]:
    """Return period and phase of a signed extrinsic's mortal era, from its encoding."""
    # Two bytes of length for what is short, version, address, signature; then the era, least byte first.
    start = 2 + 1 + (1 + 32) + (1 + 64)
    encoded = int.from_bytes(raw[start : start + 2], "little")
    period = 2 << (encoded % 16)
    return period, (encoded >> 4) * max(period >> 12, 1)
