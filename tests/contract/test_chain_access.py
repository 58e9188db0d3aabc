"""Requests, grants, delivered keys and emergency access on every chain adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caregrid.chain import (
    AccessRequest,
    Call,
    Escrowed,
    Grant,
    Inline,
    KeyDelivery,
    PatientScope,
    Pending,
    RecordScope,
    calls,
)
from caregrid.chain.limits import (
    EMERGENCY_DURATION,
    MAX_GRANT_DURATION,
    MAX_GRANTS_PER_SCOPE,
    MAX_REQUEST_DURATION,
)
from tests.contract.chain_world import ONE_LOOP, covers, emr, name_of, new_id

if TYPE_CHECKING:
    from caregrid.chain import KeyState, Scope
    from tests.contract.chain_world import World

pytestmark = ONE_LOOP

#: No grant here may end while its test runs.
LONG = 5_000
#: How far a block may lie ahead of the height that was read; for limits that count from the block.
SLACK = 100


def grant(scope: Scope, grantee: bytes, expires_at: int, key: KeyState | None = None) -> Call:
    """Return a grant for research."""
    return calls.grant_access(scope, grantee, expires_at=expires_at, purpose="Research", key=key or Pending())


def with_key(call: Call, key: Any) -> Call:
    """Return a grant with a key that the builder would not take."""
    return Call(pallet=call.pallet, function=call.function, params={**call.params, "key": key})


def delivery(scope: Scope, grantee: bytes, key: Inline | Escrowed) -> KeyDelivery:
    """Return a key to deliver."""
    return KeyDelivery(scope=scope, grantee=grantee, key=key)


async def version(world: World, who: str) -> int:
    """Return the version of somebody's encryption key."""
    key = await world.chain.encryption_key(world.account(who))
    assert key is not None
    return key.version


@covers("Emr", made="grant_access revoke_access", reported="AccessGranted AccessRevoked")
async def test_a_grant_lives_until_it_is_revoked(world: World) -> None:
    """Every form of key is reported and read back; a renewed grant replaces the old; a revoked one goes."""
    patient, [record, *_], _ = world.kept()
    hospital, reader, present = (
        world.account("hospital"),
        world.account("reader"),
        await version(world, "reader"),
    )
    scope, expires_at = RecordScope(record_id=record), await world.height() + LONG
    keys: list[KeyState] = [
        Pending(),
        Escrowed(digest=new_id(), key_version=present),
        Inline(wrapped=new_id(1168), key_version=present),
    ]
    for number, key in enumerate(keys):
        [receipt] = await world.outcomes("operator", grant(scope, reader, expires_at + number, key))
        assert not isinstance(receipt, Exception)
        assert [
            emr(
                "AccessGranted",
                scope={"Record": record},
                patient=patient,
                grantee=reader,
                expires_at=expires_at + number,
                custodian=hospital,
                purpose="Research",
                key_version=None if isinstance(key, Pending) else present,
            )
        ] == world.own(receipt)
        expected = Grant(
            scope=scope,
            grantee=reader,
            granted_at=receipt.block.number,
            expires_at=expires_at + number,
            purpose="Research",
            key=key,
            payer=hospital,
        )
        assert expected == await world.chain.grant(scope, reader)
        assert [expected] == list(await world.chain.grants(scope))
    revoked = await world.submit("operator", calls.revoke_access(scope, reader))
    assert [
        emr("AccessRevoked", scope={"Record": record}, patient=patient, grantee=reader, custodian=hospital)
    ] == revoked
    assert await world.chain.grant(scope, reader) is None


@covers(
    "Emr",
    refused="RecordUnknown PatientUnknown NotController ExpiryInPast ExpiryTooFar NoEncryptionKey "
    "EncryptionKeyStale WrappedKeyInvalid GrantUnknown RecordErased",
)
async def test_refusals_about_grants(world: World) -> None:
    """What is not there, who does not decide, a useless expiry or key: each has its name."""
    patient, [record, erased, _], _ = world.kept()
    owned = world.kept("wallet").patient
    await world.submit("operator", calls.erase_record(world.account("hospital"), erased))
    reader, nobody, head = world.account("reader"), new_id(), await world.height()
    scope, later, present = RecordScope(record_id=record), head + LONG, await version(world, "reader")
    own = PatientScope(patient_id=owned)
    too_far = head + MAX_GRANT_DURATION + SLACK
    short = {"Inline": {"wrapped": "0x" + bytes(1167).hex(), "key_version": present}}
    assert [
        "Emr.RecordUnknown",
        "Emr.RecordErased",
        "Emr.PatientUnknown",
        "Emr.NotController",
        "Emr.ExpiryInPast",
        "Emr.ExpiryTooFar",
        "Emr.NoEncryptionKey",
        "Emr.EncryptionKeyStale",
        "Emr.WrappedKeyInvalid",
        "Emr.GrantUnknown",
        "Emr.RecordUnknown",
        "Emr.NotController",
        "Emr.NotController",
    ] == await world.refused(
        ("operator", grant(RecordScope(record_id=new_id(16)), reader, later)),
        ("operator", grant(RecordScope(record_id=erased), reader, later)),
        ("operator", grant(PatientScope(patient_id=new_id()), reader, later)),
        ("operator", grant(own, reader, later)),
        ("operator", grant(scope, reader, head)),
        ("operator", grant(scope, reader, too_far)),
        ("operator", grant(scope, nobody, later, Escrowed(digest=new_id(), key_version=1))),
        ("operator", grant(scope, reader, later, Escrowed(digest=new_id(), key_version=present + 1))),
        ("operator", with_key(grant(scope, reader, later), short)),
        ("operator", calls.revoke_access(scope, reader)),
        ("operator", calls.revoke_access(RecordScope(record_id=new_id(16)), reader)),
        ("wallet", grant(PatientScope(patient_id=patient), reader, later)),
        ("stranger", calls.revoke_access(scope, reader)),
    )
    assert [] == list(await world.chain.grants(scope))


@covers("Emr", refused="GrantsFull NotEmergencyMember AccessLive")
async def test_a_scope_has_room_for_so_many_grants(world: World) -> None:
    """The next one is refused by name, all of its batch with it; an emergency has room all the same."""
    patient = world.kept().patient
    scope, expires_at = PatientScope(patient_id=patient), await world.height() + LONG
    grants = [grant(scope, new_id(), expires_at) for _ in range(MAX_GRANTS_PER_SCOPE)]
    one_more = grant(scope, new_id(), expires_at)
    none, all_of_them, last = await world.outcomes(
        "operator", calls.batch_all([*grants, one_more]), calls.batch_all(grants), one_more
    )
    assert ["Emr.GrantsFull"] * 2 == [name_of(none), name_of(last)]
    assert not isinstance(all_of_them, Exception)
    assert MAX_GRANTS_PER_SCOPE == len(world.own(all_of_them)) == len(await world.chain.grants(scope))
    opened = calls.open_emergency_access(scope, "ThreatToLife")
    first, second = await world.outcomes("member", opened, opened)
    assert not isinstance(first, Exception)
    # Where the second came a block later, it lasts a block longer, and is a renewal.
    assert isinstance(second, Exception) or second.block.number > first.block.number
    assert MAX_GRANTS_PER_SCOPE + 1 == len(await world.chain.grants(scope))
    longer = grant(scope, world.account("member"), expires_at + EMERGENCY_DURATION)
    await world.submit("operator", longer)
    assert ["Emr.AccessLive", "Emr.NotEmergencyMember"] == await world.refused(
        ("member", opened), ("operator", opened)
    )


@covers("Emr", made="open_emergency_access deliver_keys", reported="EmergencyAccessOpened KeyDelivered")
async def test_the_glass_is_broken(world: World) -> None:
    """A member reads at once, for a short time; everybody concerned is named, and the key is delivered."""
    patient, [record, *_], _ = world.kept("wallet")
    hospital, member, wallet = (world.account(who) for who in ("hospital", "member", "wallet"))
    scope = RecordScope(record_id=record)
    [receipt] = await world.outcomes("member", calls.open_emergency_access(scope, "PatientUnresponsive"))
    assert not isinstance(receipt, Exception)
    expires_at = receipt.block.number + EMERGENCY_DURATION
    assert [
        emr(
            "EmergencyAccessOpened",
            scope={"Record": record},
            patient=patient,
            member=member,
            reason="PatientUnresponsive",
            expires_at=expires_at,
            custodian=hospital,
            controller=wallet,
        )
    ] == world.own(receipt)
    opened = await world.chain.live_grant(record, member)
    assert opened is not None
    assert (expires_at, "EmergencyTreatment", Pending(), hospital) == (
        opened.expires_at,
        opened.purpose,
        opened.key,
        opened.payer,
    )
    if await world.chain.encryption_key(member) is None:
        await world.submit("member", calls.set_encryption_key(bytes(1216)))
    key = Escrowed(digest=new_id(), key_version=await version(world, "member"))
    assert [
        emr(
            "KeyDelivered",
            scope={"Record": record},
            grantee=member,
            custodian=hospital,
            key_version=key.key_version,
        )
    ] == await world.submit("operator", calls.deliver_keys(hospital, [delivery(scope, member, key)]))
    # Opened again it lasts longer, and the key that is there stays.
    await world.submit("member", calls.open_emergency_access(scope, "ThreatToLife"))
    longer = await world.chain.live_grant(record, member)
    assert longer is not None
    assert longer.expires_at > expires_at
    assert key == longer.key
    # The patient's own wallet ends it.
    await world.submit("wallet", calls.revoke_access(scope, member))
    assert await world.chain.live_grant(record, member) is None


@covers(
    "Emr",
    made="deliver_keys",
    reported="KeyDelivered KeyRejected",
    refused="KeyMissing GrantUnknown PatientUnknown NoEncryptionKey EncryptionKeyStale WrappedKeyInvalid "
    "BatchEmpty NotOperator OrganisationUnknown",
)
async def test_keys_are_delivered_together(world: World) -> None:
    """Those that cannot be are reported with their reasons; an inline key is paid for by the custodian."""
    patient, [record, *_], _ = world.kept("wallet")
    hospital, reader, keyless, nobody = world.account("hospital"), world.account("reader"), new_id(), new_id()
    present, later = await version(world, "reader"), await world.height() + LONG
    scope, wide = RecordScope(record_id=record), PatientScope(patient_id=patient)
    await world.submit(
        "wallet", grant(scope, reader, later), grant(scope, keyless, later), grant(wide, reader, later)
    )
    inline = Inline(wrapped=new_id(1168), key_version=present)
    escrowed = Escrowed(digest=new_id(), key_version=present)
    stale = Escrowed(digest=new_id(), key_version=present + 1)
    good = calls.deliver_keys(
        hospital,
        [
            delivery(scope, reader, inline),
            delivery(wide, reader, escrowed),
            delivery(scope, nobody, escrowed),
            delivery(scope, keyless, escrowed),
            delivery(scope, reader, stale),
        ],
    )
    odd = [
        {**dict(good.params["keys"][0]), "key": "Pending"},
        {
            **dict(good.params["keys"][0]),
            "key": {"Inline": {"wrapped": "0x" + b"0x61".hex(), "key_version": present}},
        },
    ]
    mixed = Call(
        pallet="Emr", function="deliver_keys", params={**good.params, "keys": [*good.params["keys"], *odd]}
    )
    events = await world.submit("operator", mixed)
    assert [
        ("KeyDelivered", reader, None),
        ("KeyDelivered", reader, None),
        ("KeyRejected", nobody, "GrantUnknown"),
        ("KeyRejected", keyless, "NoEncryptionKey"),
        ("KeyRejected", reader, "EncryptionKeyStale"),
        ("KeyRejected", reader, "KeyMissing"),
        ("KeyRejected", reader, "WrappedKeyInvalid"),
    ] == [(event.name, event.fields["grantee"], event.fields.get("reason")) for event in events]
    assert {"Patient": patient} == events[1].fields["scope"]
    first, second = await world.chain.grant(scope, reader), await world.chain.grant(wide, reader)
    assert first is not None
    assert second is not None
    assert (inline, hospital) == (first.key, first.payer)
    assert (escrowed, world.account("wallet")) == (second.key, second.payer)

    clinic, foreign = world.account("clinic"), [delivery(scope, reader, escrowed)]
    [event] = await world.submit("clinic", calls.deliver_keys(clinic, foreign))
    assert emr("KeyRejected", scope={"Record": record}, grantee=reader, reason="PatientUnknown") == event
    empty = Call(pallet="Emr", function="deliver_keys", params={**good.params, "keys": []})
    assert ["Emr.BatchEmpty", "Emr.NotOperator", "Emr.OrganisationUnknown"] == await world.refused(
        ("operator", empty),
        ("stranger", calls.deliver_keys(hospital, foreign)),
        ("stranger", calls.deliver_keys(new_id(), foreign)),
    )


@covers(
    "Emr",
    made="request_access deny_request grant_access",
    reported="AccessRequested RequestDenied AccessGranted",
)
async def test_access_is_asked_for(world: World) -> None:
    """A request names everybody concerned, is replaced by the next, and ends with its answer."""
    patient, [record, *_], _ = world.kept("wallet")
    hospital, wallet, reader = (world.account(who) for who in ("hospital", "wallet", "reader"))
    later = await world.height() + LONG
    asked, *_ = await world.together(
        (
            "reader",
            [
                calls.request_access(record, purpose="Payment", expires_at=later),
                calls.request_access(record, purpose="Treatment", expires_at=later + 1),
            ],
        ),
        ("stranger", [calls.request_access(record, purpose="Research", expires_at=later)]),
    )
    assert (
        emr(
            "AccessRequested",
            record=record,
            requester=reader,
            purpose="Treatment",
            expires_at=later + 1,
            patient=patient,
            controller=wallet,
            custodian=hospital,
        )
        == asked[1]
    )
    request = AccessRequest(record_id=record, requester=reader, purpose="Treatment", expires_at=later + 1)
    assert request == await world.chain.access_request(record, reader)
    standing = await world.chain.access_requests(record)
    assert {reader, world.account("stranger")} == {each.requester for each in standing}

    events = await world.submit(
        "wallet",
        calls.deny_request(record, world.account("stranger")),
        grant(RecordScope(record_id=record), reader, later),
    )
    denied = emr("RequestDenied", record=record, requester=world.account("stranger"), custodian=hospital)
    assert denied == events[0]
    assert [] == list(await world.chain.access_requests(record))
    assert await world.chain.access_request(record, reader) is None


@covers(
    "Emr",
    refused="RecordUnknown RecordErased ExpiryInPast ExpiryTooFar RequestUnknown NotController",
)
async def test_refusals_about_requests(world: World) -> None:
    """Nobody asks for what is not there, for too long, or answers what was not asked."""
    _, [record, erased, _], _ = world.kept("wallet")
    await world.submit("operator", calls.erase_record(world.account("hospital"), erased))
    head, reader = await world.height(), world.account("reader")

    def request(of: bytes, expires_at: int) -> Call:
        return calls.request_access(of, purpose="Treatment", expires_at=expires_at)

    assert [
        "Emr.RecordUnknown",
        "Emr.RecordErased",
        "Emr.ExpiryInPast",
        "Emr.ExpiryTooFar",
        "Emr.RequestUnknown",
        "Emr.RecordUnknown",
        "Emr.NotController",
    ] == await world.refused(
        ("reader", request(new_id(16), head + LONG)),
        ("reader", request(erased, head + LONG)),
        ("reader", request(record, head)),
        ("reader", request(record, head + MAX_REQUEST_DURATION + SLACK)),
        ("wallet", calls.deny_request(record, reader)),
        ("wallet", calls.deny_request(new_id(16), reader)),
        ("operator", calls.deny_request(record, reader)),
    )
    assert [] == list(await world.chain.access_requests(record))
