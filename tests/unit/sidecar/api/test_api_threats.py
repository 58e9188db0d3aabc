"""Networks and signatures that are to be shared, over the API and by the SDK."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.errors import InputInvalid, ScopeMissing
from caregrid.intake import SidecarClient
from ocw_sidecar.adapters.sql.threats import SqlThreatTables
from ocw_sidecar.background.audit_log import FILE_NAME
from ocw_sidecar.background.items import Kind, Wish
from ocw_sidecar.callers.items import ALL_SCOPES, Scope
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.testing import ORGANISATION
from tests.unit.sidecar.api.calls import serving, token_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ocw_sidecar.background.items import Entry
    from ocw_sidecar.testing import Rig
    from tests.unit.sidecar.api.calls import Client

NET, PATTERN = "192.0.2.0/24", r"GET /\.env"


@asynccontextmanager
async def sdk(sidecar: Rig, *scopes: Scope) -> AsyncIterator[SidecarClient]:
    """Serve the API and yield the SDK's client of it."""
    header = await token_for(sidecar, *scopes)
    async with serving(sidecar) as served:
        client = SidecarClient(str(served.make_url("/")), header["Authorization"].removeprefix("Bearer "))
        yield client
        await client.close()


async def due(sidecar: Rig, kind: Kind) -> list[Entry]:
    """Return what the next synchronisation sends."""
    now = sidecar.bench.ports.now()
    return await SqlThreatTables(sidecar.database, ORGANISATION).claim(kind, 99, now=now, until=now)


async def test_what_is_wanted_waits_for_the_chain(sidecar: Rig) -> None:
    """Once, however often it is said; what was withdrawn before it was sent is forgotten."""
    rung = sidecar.bench.bells.listen(Bell.SHARE)
    async with sdk(sidecar, Scope.THREATS) as client:
        assert [True, True] == [
            await client.share_block(NET, reason="Scanning", hours=2),
            await client.share_block("2001:db8::7", reason="BruteForce"),
        ]
        assert rung.is_set()
        mark = await client.share_signature(PATTERN, format="Regex", severity="High")
        same = await client.share_signature(PATTERN, format="Regex", severity="High", signature_id=bytes(16))
        assert (16, bytes(16)) == (len(mark), same)
        assert [True, False] == [await client.withdraw_block("2001:db8::7") for _ in range(2)]
        assert [True, False] == [await client.withdraw_signature(mark) for _ in range(2)]
    [block], [signature] = await due(sidecar, Kind.BLOCKS), await due(sidecar, Kind.SIGNATURES)
    assert (NET, Wish.STAND) == (block.key, block.wish)
    assert bytes(16) == signature.key


async def test_answers_and_the_audit_log(client: Client, sidecar: Rig) -> None:
    """An answer names the end; the log has who and what, and no address or pattern."""
    before = sidecar.bench.ports.now()
    answers: list[Any] = []
    for _ in range(2):
        async with client.post("/v1/threats/blocks", json={"net": NET, "hours": 1}) as response:
            answers.append((response.status, await response.json()))
    signature = {"pattern": PATTERN, "format": "Regex", "severity": "High"}
    async with client.post("/v1/threats/signatures", json=signature) as response:
        assert (202, True) == (response.status, (await response.json())["changed"])
    assert [202, 202] == [status for status, _ in answers]
    ends_ms = (before + timedelta(hours=1)).timestamp() * 1000
    assert NET == answers[0][1]["net"]
    assert ends_ms - 1 <= answers[0][1]["expires"] <= ends_ms + 60_000
    async with client.get("/v1/threats") as response:
        counts = {each["table"]: each for each in (await response.json())["counts"]}
    assert {"blocked_ips", "attack_signatures"} == set(counts)
    assert ("pending", 1) == (counts["blocked_ips"]["status"], counts["blocked_ips"]["items"])
    log = await asyncio.to_thread((sidecar.bench.settings.logs_path / FILE_NAME).read_text)
    entries = [json.loads(line) for line in log.splitlines()]
    assert ["threats-block", "threats-block", "threats-add-signature"] == [each["what"] for each in entries]
    assert {"api"} == {each["figures"]["by"] for each in entries}
    assert "192.0.2" not in log
    assert ".env" not in log


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("blocks", {"net": "192.0.2.1/24"}),  # bits behind the prefix
        ("blocks", {"net": "nonsense"}),
        ("blocks", {"net": NET, "reason": "Because"}),
        ("blocks", {"net": NET, "hours": 0}),
        ("blocks", {"net": NET, "hours": 2161}),
        ("blocks", {"net": NET, "hours": "NaN"}),
        ("blocks", {"net": NET, "until": 7}),
        ("blocks", {"net": "1" * 65}),
        ("unblocks", {"net": "fe80::1%eth0"}),
        ("signatures", {"pattern": "", "format": "Regex", "severity": "High"}),
        ("signatures", {"pattern": "\u00e4" * 1025, "format": "Regex", "severity": "High"}),
        ("signatures", {"pattern": "x", "format": "Guess", "severity": "High"}),
        ("signatures", {"pattern": "x", "format": "Regex", "severity": "High", "id": "00"}),
        ("retirements", {"id": "zz" * 16}),
    ],
)
async def test_nonsense_is_refused(client: Client, sidecar: Rig, path: str, body: dict[str, Any]) -> None:
    """Nothing is written down, and the answer does not repeat what was sent."""
    async with client.post(f"/v1/threats/{path}", json=body) as response:
        answer = await response.json()
    assert (400, "INPUT_INVALID") == (response.status, answer["code"])
    assert not await due(sidecar, Kind.BLOCKS)
    assert not await due(sidecar, Kind.SIGNATURES)


async def test_the_sdk_says_what_is_wrong(sidecar: Rig) -> None:
    """A bad network; and a token for records alone shares nothing."""
    async with sdk(sidecar, Scope.THREATS) as client:
        with pytest.raises(InputInvalid, match="network"):
            await client.share_block("nonsense", reason="Scanning")
    async with sdk(sidecar, *(ALL_SCOPES - {Scope.THREATS})) as client:
        for refused in (
            client.share_block(NET, reason="Scanning"),
            client.withdraw_block(NET),
            client.share_signature(PATTERN, format="Regex", severity="Low"),
            client.withdraw_signature(bytes(16)),
        ):
            with pytest.raises(ScopeMissing):
                await refused
    assert not await due(sidecar, Kind.BLOCKS)
