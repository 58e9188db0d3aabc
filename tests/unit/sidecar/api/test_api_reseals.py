"""Wishes to have records sealed anew, over the API and by the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from caregrid.errors import NotFound, NotYetAnchored, RecordErased, RecordUnknown, ScopeMissing
from caregrid.intake import SidecarClient
from ocw_sidecar.adapters.sql.compaction import SqlCompactionBook
from ocw_sidecar.callers.items import ALL_SCOPES, Scope
from tests.unit.sidecar.api.calls import confirmed, serving, token_for

if TYPE_CHECKING:
    from ocw_sidecar.testing import Rig
    from tests.unit.sidecar.api.calls import Client


async def test_a_wish_is_written_down_once(client: Client, sidecar: Rig) -> None:
    """Asking again while it waits changes nothing; how far it is can be asked."""
    record = await confirmed(client, sidecar)
    answers = []
    for _ in range(2):
        async with client.post(f"/v1/records/{record}/reseal") as response:
            answers.append((response.status, await response.json()))
    async with client.get(f"/v1/records/{record}/reseal") as response:
        answers.append((response.status, await response.json()))
    assert [202, 202, 200] == [status for status, _ in answers]
    assert [("waiting", record)] * 3 == [(answer["state"], answer["record"]) for _, answer in answers]
    due = await SqlCompactionBook(sidecar.database).due_reseals(9, now=sidecar.bench.ports.now())
    assert [bytes.fromhex(record)] == [each.record_id for each in due]


async def test_the_sdk_says_what_is_wrong(client: Client, sidecar: Rig) -> None:
    """Unknown, erased, nobody asked, not done yet, no right to ask."""
    record = bytes.fromhex(await confirmed(client, sidecar))
    async with serving(sidecar) as served:
        url = str(served.make_url("/"))
        header = await token_for(sidecar, *ALL_SCOPES)
        sdk = SidecarClient(url, header["Authorization"].removeprefix("Bearer "))
        try:
            with pytest.raises(RecordUnknown):
                await sdk.reseal(bytes(16))
            with pytest.raises(NotFound):
                await sdk.reseal_status(record)
            assert not (await sdk.reseal(record)).done
            with pytest.raises(NotYetAnchored):
                await sdk.wait_resealed(record, timeout_s=0.2)
            await sdk.erase(record)
            with pytest.raises(RecordErased):
                await sdk.reseal(record)
        finally:
            await sdk.close()
        weak = await token_for(sidecar, Scope.READ)
        reader = SidecarClient(url, weak["Authorization"].removeprefix("Bearer "))
        try:
            with pytest.raises(ScopeMissing):
                await reader.reseal(record)
        finally:
            await reader.close()
