"""What expires, on every chain adapter: given nothing, removed by idle time, or by anybody who names it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from caregrid.chain import (
    Call,
    Escrowed,
    ExpirableGrant,
    ExpirableRequest,
    KeyDelivery,
    PatientScope,
    Pending,
    RecordScope,
    calls,
)
from caregrid.chain.limits import MAX_BATCH, MAX_GRANTS_PER_SCOPE
from tests.contract.chain_world import ONE_LOOP, SOON, covers, emr, new_id, new_object, new_record

if TYPE_CHECKING:
    from caregrid.chain import Expirable
    from tests.contract.chain_world import World

pytestmark = ONE_LOOP

#: Idle time removes `MAX_BATCH` a block: so much takes five blocks, time enough to come before the last.
BACKLOG = 5 * MAX_BATCH
#: Calls in one signed batch, well within a block's weight.
CHUNK = 128


@covers(
    "Emr",
    made="purge_expired",
    reported="RequestExpired PurgeRejected AccessExpired",
    refused="NotDue GrantUnknown RequestUnknown BatchEmpty",
)
async def test_what_is_due_is_removed(world: World) -> None:
    """By a call where a record was erased, else by the block in which it ends; the rest stays."""
    hospital, reader, stranger = (world.account(who) for who in ("hospital", "reader", "stranger"))
    _, [record, erased, _], _ = world.kept()
    scope, end = RecordScope(record_id=record), await world.height() + 2 * SOON
    requests = [
        calls.request_access(record, purpose="Treatment", expires_at=end),
        calls.request_access(erased, purpose="Treatment", expires_at=end + 1_000),
    ]
    granted = calls.grant_access(scope, stranger, expires_at=end, purpose="Treatment", key=Pending())
    await world.together(("reader", requests), ("operator", [granted]))
    due = ExpirableRequest(record_id=erased, requester=reader)
    grant = ExpirableGrant(scope=scope, grantee=stranger)
    unknown_grant = ExpirableGrant(scope=scope, grantee=new_id())
    unknown = ExpirableRequest(record_id=record, requester=stranger)
    asked: list[Expirable] = [due, grant, unknown_grant, unknown, due]
    as_event = {"Grant": [{"Record": record}, stranger]}
    _, purged = await world.outcomes(
        "operator", calls.erase_record(hospital, erased), calls.purge_expired(asked)
    )
    assert not isinstance(purged, Exception)
    assert [
        emr("RequestExpired", record=erased, requester=reader, expires_at=end + 1_000, custodian=hospital),
        emr("PurgeRejected", item=as_event, reason="NotDue"),
        emr(
            "PurgeRejected",
            item={"Grant": [{"Record": record}, unknown_grant.grantee]},
            reason="GrantUnknown",
        ),
        emr("PurgeRejected", item={"Request": [record, stranger]}, reason="RequestUnknown"),
        emr("PurgeRejected", item={"Request": [erased, reader]}, reason="RequestUnknown"),
    ] == world.own(purged)
    empty = Call(pallet="Emr", function="purge_expired", params={"items": []})
    assert ["Emr.BatchEmpty"] == await world.refused(("stranger", empty))

    ended = [
        each
        for each in await world.events(end - 1, end)
        if record in (each[1].fields.get("record"), each[1].fields.get("scope", {}).get("Record"))
    ]
    assert {end} == {number for number, _ in ended}
    assert sorted(["AccessExpired", "RequestExpired"]) == sorted(event.name for _, event in ended)
    assert {(end, hospital)} == {
        (event.fields["expires_at"], event.fields["custodian"]) for _, event in ended
    }
    assert await world.chain.grant(scope, stranger) is None
    assert await world.chain.access_request(record, reader) is None


@covers(
    "Emr",
    made="deliver_keys purge_expired",
    reported="AccessExpired KeyRejected",
    refused="GrantExpired",
)
async def test_an_expired_grant_gives_nothing_before_it_is_removed(world: World) -> None:
    """A backlog takes several blocks; meanwhile its grants are as good as gone, and anybody removes them."""
    hospital, grantees = world.account("hospital"), [new_id() for _ in range(MAX_GRANTS_PER_SCOPE)]
    patients = [new_id() for _ in range(BACKLOG // MAX_GRANTS_PER_SCOPE)]
    record = new_record(patients[0])
    await world.submit(
        "operator",
        calls.register_patients(hospital, [(patient, None) for patient in patients]),
        calls.store_emr(hospital, new_object(), record),
    )
    end = await world.height() + 2 * SOON
    items = [(PatientScope(patient_id=patient), grantee) for patient in patients for grantee in grantees]
    grants = [
        calls.grant_access(scope, grantee, expires_at=end, purpose="Research", key=Pending())
        for scope, grantee in items
    ]
    chunks = [grants[start : start + CHUNK] for start in range(0, len(grants), CHUNK)]
    await world.submit("operator", *(calls.batch_all(chunk) for chunk in chunks))
    assert await world.height() < end

    (purged_scope, purged), (last_scope, last) = sorted(items, key=lambda each: drained_after(*each))[-2:]
    of_record, reader = max(items[: len(grantees)], key=lambda each: drained_after(*each))
    delivery = KeyDelivery(scope=last_scope, grantee=last, key=Escrowed(digest=new_id(), key_version=1))
    await world.reach(end)
    assert await world.chain.grant(last_scope, last) is not None
    assert await world.chain.live_grant(record.record_id, reader) is None
    page = await world.chain.grants_of_record(record.record_id)
    assert [] == list(page.items)
    assert [
        [emr("KeyRejected", scope={"Patient": last_scope.patient_id}, grantee=last, reason="GrantExpired")],
        [
            emr(
                "AccessExpired",
                scope={"Patient": purged_scope.patient_id},
                grantee=purged,
                expires_at=end,
                custodian=hospital,
            )
        ],
    ] == await world.together(
        ("operator", [calls.deliver_keys(hospital, [delivery])]),
        ("stranger", [calls.purge_expired([ExpirableGrant(scope=purged_scope, grantee=purged)])]),
    )
    drained = [each for each in await world.events(end, end + 5) if each[1].name == "AccessExpired"]
    assert {(scope.patient_id, grantee) for scope, grantee in items} == {
        (event.fields["scope"]["Patient"], event.fields["grantee"]) for _, event in drained
    }
    assert MAX_BATCH == len([number for number, _ in drained if number == end])
    assert [] == list(await world.chain.grants(of_record))


def drained_after(scope: PatientScope, grantee: bytes) -> bytes:
    """Return where the chain's index has a grant; idle time goes through it in this order."""
    key = b"\x00\x01" + scope.patient_id + grantee
    return hashlib.blake2b(key, digest_size=16).digest()
