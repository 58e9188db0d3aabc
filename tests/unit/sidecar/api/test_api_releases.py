"""To whom data keys were handed out: who may see it, who is told, and what it says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.chain import PatientScope, Pending, RecordScope, calls
from caregrid.errors import AccessRefused, NotFound
from caregrid.intake import SidecarClient
from caregrid.keys import Identity
from ocw_sidecar.adapters.sql.channels import SqlChannelBook
from ocw_sidecar.adapters.sql.notices import SqlNotices
from ocw_sidecar.callers.items import Scope
from ocw_sidecar.notifications.items import NoticeKind
from ocw_sidecar.notifications.preferences import SealedChannel
from ocw_sidecar.notifications.targets import Origin
from ocw_sidecar.testing import OPERATOR, ORGANISATION, PATIENT
from tests.unit.sidecar.api.calls import FHIR, OBSERVATION, confirmed, get, serving, token_for
from tests.unit.sidecar.api.signed import headers_for

if TYPE_CHECKING:
    from caregrid.chain.port import Scope as GrantScope
    from ocw_sidecar.testing import Rig
    from tests.unit.sidecar.api.calls import Client

READER, OWNER = Identity.generate(), Identity.generate()
JSON = {"Content-Type": "application/json"}
OWNED = b"\x0f" * 32


async def publish(sidecar: Rig, who: Identity) -> None:
    """Register somebody's encryption key."""
    submitter = sidecar.world.chain.submitter(who.account)
    await submitter.submit(calls.set_encryption_key(who.encryption.public_key))


async def grant(sidecar: Rig, scope: GrantScope, *, blocks: int = 1000, by: bytes = ORGANISATION) -> None:
    """Let the reader read."""
    await publish(sidecar, READER)
    expires_at = (await sidecar.world.chain.finalized_head()).number + blocks
    call = calls.grant_access(
        scope, READER.account, expires_at=expires_at, purpose="Treatment", key=Pending()
    )
    await sidecar.world.chain.submitter(by).submit(call)


async def release(client: Client, record: str, account: bytes = READER.account) -> None:
    """Have the key handed out."""
    body = json.dumps({"account": account.hex()})
    async with client.post(f"/v1/records/{record}/key", data=body, headers=JSON) as response:
        assert 200 == response.status, await response.text()


async def owned(client: Client, sidecar: Rig) -> str:
    """Return a record of a patient who decides by himself."""
    organisation = sidecar.world.chain.submitter(ORGANISATION)
    await organisation.submit(calls.register_patient(ORGANISATION, OWNED, OWNER.account))
    headers = {**FHIR, "X-CareGrid-Patient": OWNED.hex()}
    async with client.post("/v1/submissions", data=OBSERVATION, headers=headers) as response:
        accepted = await response.json()
    await sidecar.drain()
    return str(accepted["submission"])


async def signed(client: Client, who: Identity, record: str) -> tuple[int, dict[str, Any]]:
    """Ask for the list with a signature."""
    path = f"/v1/records/{record}/releases"
    client.session.headers.pop("Authorization", None)
    return await get(client, path, headers=headers_for(client, who, "GET", path))


async def test_each_release_is_listed_with_its_ground(client: Client, sidecar: Rig) -> None:
    """The newest first; an emergency says so."""
    record = await confirmed(client, sidecar)
    chain = sidecar.world.chain
    await sidecar.world.chain.submitter(ORGANISATION).submit(calls.set_emergency_members([READER.account]))
    operator = Identity.generate()
    await chain.submitter(OPERATOR).submit(calls.set_encryption_key(operator.encryption.public_key))
    await release(client, record, OPERATOR)
    await grant(sidecar, PatientScope(patient_id=PATIENT))
    await release(client, record)
    await grant(sidecar, RecordScope(record_id=bytes.fromhex(record)))
    await release(client, record)
    scope = RecordScope(record_id=bytes.fromhex(record))
    await chain.submitter(READER.account).submit(calls.open_emergency_access(scope, "ThreatToLife"))
    await release(client, record)
    status, answer = await get(client, f"/v1/records/{record}/releases")
    assert (200, None) == (status, answer["next"])
    reader = READER.account.hex()
    assert [
        (reader, "emergency", True),
        (reader, "record", False),
        (reader, "patient", False),
        (OPERATOR.hex(), "own", False),
    ] == [(one["account"], one["ground"], one["emergency"]) for one in answer["releases"]]


async def test_releases_come_in_pages(client: Client, sidecar: Rig) -> None:
    """Every one once, and of this record only."""
    record, other = await confirmed(client, sidecar), await owned(client, sidecar)
    await grant(sidecar, RecordScope(record_id=bytes.fromhex(record)))
    await grant(sidecar, RecordScope(record_id=bytes.fromhex(other)), by=OWNER.account)
    for each in (record, other, record, record):
        await release(client, each)
    path, seen, before = f"/v1/records/{record}/releases?limit=2", 0, ""
    while True:
        _, page = await get(client, path + before)
        seen += len(page["releases"])
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert 3 == seen
    for bad in ("limit=0", "limit=257", "before=0", "before=x", "colour=red"):
        assert 400 == (await get(client, f"/v1/records/{record}/releases?{bad}"))[0]


async def test_who_may_see_them(client: Client, sidecar: Rig) -> None:
    """The house by a token for it, its operators, whoever decides for the patient; nobody else."""
    record = await owned(client, sidecar)
    await grant(sidecar, RecordScope(record_id=bytes.fromhex(record)), by=OWNER.account)
    await release(client, record)
    path = f"/v1/records/{record}/releases"
    auditor, submitter = await token_for(sidecar, Scope.AUDIT), await token_for(sidecar, Scope.SUBMIT)
    assert 200 == (await get(client, path, headers=auditor))[0]
    refused, answer = await get(client, path, headers=submitter)
    assert (403, "SCOPE_MISSING") == (refused, answer["code"])
    for account, expected in ((OWNER.account, 200), (OPERATOR, 200), (READER.account, 403)):
        bound = await token_for(sidecar, Scope.AUDIT, account=account)
        assert expected == (await get(client, path, headers=bound))[0]
    status, answer = await signed(client, OWNER, record)
    assert (200, 1) == (status, len(answer["releases"]))
    status, answer = await signed(client, READER, record)
    assert (403, "ACCESS_REFUSED") == (status, answer["code"])


async def test_unknown_records_have_no_list(client: Client, sidecar: Rig) -> None:
    """One without releases has an empty one."""
    record = await confirmed(client, sidecar)
    assert (200, {"releases": [], "next": None}) == await get(client, f"/v1/records/{record}/releases")
    status, answer = await get(client, f"/v1/records/{'00' * 16}/releases")
    assert (404, "NOT_FOUND") == (status, answer["code"])


async def test_a_patient_wide_grant_opens_later_records_until_it_ends(client: Client, sidecar: Rig) -> None:
    """From the block on in which it has expired nothing comes out, of no record."""
    early = await confirmed(client, sidecar)
    await grant(sidecar, PatientScope(patient_id=PATIENT), blocks=12)
    head = await sidecar.world.chain.finalized_head()
    late = await confirmed(client, sidecar, body=OBSERVATION.replace(b"Heart", b"Later"))
    assert early != late
    await release(client, early)
    await release(client, late)
    while (await sidecar.world.chain.finalized_head()).number < head.number + 12:
        sidecar.world.chain.finalize_block()
    body = json.dumps({"account": READER.account.hex()})
    for record in (early, late):
        async with client.post(f"/v1/records/{record}/key", data=body, headers=JSON) as response:
            assert (403, "NO_GRANT") == (response.status, (await response.json())["code"])


async def test_the_sdk_lists_them(sidecar: Rig, client: Client) -> None:
    """By signature, over all pages."""
    record = await owned(client, sidecar)
    record_id = bytes.fromhex(record)
    await grant(sidecar, RecordScope(record_id=record_id), by=OWNER.account)
    await release(client, record)
    url = str(client.make_url("/")).rstrip("/")
    owner, reader = SidecarClient(url, identity=OWNER), SidecarClient(url, identity=READER)
    try:
        [found] = [each async for each in owner.releases(record_id)]
        assert (READER.account, "record", False) == (found.account, found.ground, found.emergency)
        with pytest.raises(AccessRefused):
            await anext(reader.releases(record_id))
        with pytest.raises((NotFound, AccessRefused)):
            await anext(owner.releases(bytes(16)))
    finally:
        await owner.close()
        await reader.close()


async def test_who_asks_is_told_of_each_release(sidecar: Rig, client: Client) -> None:
    """By a channel that names the kind; who has none, and who takes the key himself, is not."""
    record = await owned(client, sidecar)
    scope = RecordScope(record_id=bytes.fromhex(record))
    await grant(sidecar, scope, by=OWNER.account)
    await publish(sidecar, OWNER)
    notices = SqlNotices(sidecar.database)
    async with serving(sidecar, headers=await token_for(sidecar), notices=notices) as served:
        await release(served, record)
        assert not (await notices.after(OWNER.account, None, 10)).items
        channel = SealedChannel(
            id=b"c" * 16,
            slot=0,
            sealed=b"s",
            wrapped_key=b"w",
            kinds=frozenset({NoticeKind.KEY_RELEASED}),
            digest_minute=None,
        )
        await SqlChannelBook(sidecar.database, sidecar.bench.ports.now).replace(
            OWNER.account, Origin.OWN, [channel]
        )
        await release(served, record)
        head = await sidecar.world.chain.finalized_head()
        own = calls.grant_access(
            scope, OWNER.account, expires_at=head.number + 9, purpose="PatientRequest", key=Pending()
        )
        await sidecar.world.chain.submitter(OWNER.account).submit(own)
        await release(served, record, OWNER.account)
    [told] = (await notices.after(OWNER.account, None, 10)).items
    facts = dict(told.notice.facts)
    assert NoticeKind.KEY_RELEASED is told.notice.kind
    assert isinstance(facts.pop("released_at"), int)
    assert {"record": record, "grantee": READER.account.hex(), "code": "record"} == facts


async def test_without_the_chain_only_the_house_sees_them(client: Client, sidecar: Rig) -> None:
    """Who decides for a patient cannot be told then, nor who may have a key: nothing is written down."""
    record = await owned(client, sidecar)
    await grant(sidecar, RecordScope(record_id=bytes.fromhex(record)), by=OWNER.account)
    bound = await token_for(sidecar, Scope.AUDIT, account=OWNER.account)
    sidecar.world.chain.reachable = False
    path, body = f"/v1/records/{record}/releases", json.dumps({"account": READER.account.hex()})
    async with client.post(f"/v1/records/{record}/key", data=body, headers=JSON) as response:
        assert 503 == response.status
    status, answer = await get(client, path, headers=bound)
    assert (503, "CHAIN_UNREACHABLE") == (status, answer["code"])
    assert (200, []) == ((found := await get(client, path))[0], found[1]["releases"])
