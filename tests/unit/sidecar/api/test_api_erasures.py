"""Erasures over the API: who may have a record erased, and what is answered of it afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from caregrid.chain import RecordScope, calls
from caregrid.erasures import ReasonCode
from caregrid.errors import NotFound, NotYetAnchored, RecordErased, RecordUnknown, ScopeMissing
from caregrid.intake import SidecarClient
from ocw_sidecar.callers.items import ALL_SCOPES, Scope
from ocw_sidecar.composition import make_desk, make_eraser
from ocw_sidecar.testing import ORGANISATION
from ocw_sidecar.workers.erasure import ErasureStep
from tests.unit.sidecar.api.calls import confirmed, serving, token_for
from tests.unit.sidecar.api.test_api_keys import READER, ask, give_key, grant

if TYPE_CHECKING:
    from ocw_sidecar.testing import Rig
    from tests.unit.sidecar.api.calls import Client


async def erase(client: Client, record: str, **body: str) -> tuple[int, dict[str, Any]]:
    """Have a record erased."""
    async with client.post(f"/v1/records/{record}/erasure", json=body) as response:
        return response.status, await response.json()


async def receipt(client: Client, record: str) -> tuple[int, dict[str, Any]]:
    """Ask for the receipts."""
    async with client.get(f"/v1/records/{record}/erasure") as response:
        return response.status, await response.json()


async def test_an_erased_record_gives_no_key_any_more(client: Client, sidecar: Rig) -> None:
    """From the answer on: to nobody, with a status and a code of its own; the receipt says what was done."""
    record = await confirmed(client, sidecar)
    await grant(sidecar, RecordScope(record_id=bytes.fromhex(record)))
    await give_key(sidecar, ORGANISATION, READER.encryption)
    status, answer = await erase(client, record, reason="entered-in-error")
    assert (202, "decided", record) == (status, answer["state"], answer["record"])
    for account in (READER.account, ORGANISATION):
        status, refusal = await ask(client, record, {"account": account.hex()})
        assert (410, "RECORD_ERASED") == (status, refusal["code"])
    assert (200, answer) == await receipt(client, record)
    [first] = answer["receipts"]
    assert '"code":"entered-in-error"' in first["body"]


async def test_a_tombstone_is_enough_to_refuse(client: Client, sidecar: Rig) -> None:
    """A database that does not know of the erasure has the key still, and gives it to nobody."""
    record = await confirmed(client, sidecar)
    await grant(sidecar, RecordScope(record_id=bytes.fromhex(record)))
    await sidecar.world.submitter.submit(calls.erase_record(ORGANISATION, bytes.fromhex(record)))
    status, refusal = await ask(client, record, {"account": READER.account.hex()})
    assert (410, "RECORD_ERASED") == (status, refusal["code"])


async def test_unknown_and_foreign_records(client: Client, sidecar: Rig) -> None:
    """Nothing is written down of what this custodian never had; what he had and does not know says so."""
    status, refusal = await erase(client, "00" * 16)
    assert (404, "RECORD_UNKNOWN") == (status, refusal["code"])
    assert 404 == (await receipt(client, "00" * 16))[0]
    assert [] == list(make_eraser(sidecar.bench, sidecar.database).listed.ids())


@pytest.mark.parametrize("body", ['{"reason": "because Ms Canary asked"}', '{"else": 1}', "[]", "{"])
async def test_only_codes_are_taken(client: Client, sidecar: Rig, body: str) -> None:
    """A reason in words could name somebody; nothing is erased then."""
    record = await confirmed(client, sidecar)
    async with client.post(
        f"/v1/records/{record}/erasure", data=body, headers={"Content-Type": "application/json"}
    ) as response:
        assert 400 == response.status
        assert "Canary" not in await response.text()
    assert 404 == (await receipt(client, record))[0]


async def test_a_token_needs_the_scope(client: Client, sidecar: Rig) -> None:
    """Every other one together is not enough, neither to erase nor to see receipts."""
    record = await confirmed(client, sidecar)
    async with serving(sidecar, headers=await token_for(sidecar, *(ALL_SCOPES - {Scope.ERASE}))) as other:
        for answer in (await erase(other, record), await receipt(other, record)):
            assert (403, "SCOPE_MISSING") == (answer[0], answer[1]["code"])


async def test_the_sdk_erases_and_waits(sidecar: Rig) -> None:
    """Its errors are the SDK's own; waiting ends when the chain has it, or with a word that it goes on."""
    headers = await token_for(sidecar)
    async with serving(sidecar, headers=headers) as client:
        record = bytes.fromhex(await confirmed(client, sidecar))
        url, token = str(client.make_url("/")), headers["Authorization"].removeprefix("Bearer ")
        sdk = SidecarClient(url, token)
        try:
            with pytest.raises(NotFound):
                await sdk.erasure(record)
            with pytest.raises(RecordUnknown):
                await sdk.erase(bytes(16))
            assert not (await sdk.erase(record, reason=ReasonCode.PATIENT_REQUEST)).is_final
            with pytest.raises(RecordErased):
                await sdk.release_key(record, account=READER.account)
            with pytest.raises(NotYetAnchored):
                await sdk.wait_erased(record, timeout_s=0.05)
            await ErasureStep(make_desk(sidecar.bench, sidecar.database)).run_once()
            found = await sdk.wait_erased(record, timeout_s=60)
            assert ["keys_destroyed", "erased"] == [each.facts()["step"] for each in found.receipts]
        finally:
            await sdk.close()


async def test_guests_erase_nothing(client: Client, sidecar: Rig) -> None:
    """A reader who signs for himself has no scope to erase."""
    record = bytes.fromhex(await confirmed(client, sidecar))
    await grant(sidecar, RecordScope(record_id=record))
    sdk = SidecarClient(str(client.make_url("/")), identity=READER)
    try:
        with pytest.raises(ScopeMissing):
            await sdk.erase(record)
    finally:
        await sdk.close()
