"""Bearer tokens: scopes, ends, and what is kept of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from caregrid.errors import InputInvalid
from ocw_sidecar.adapters.opening import QUEUE_FILE
from ocw_sidecar.adapters.sql.callers import SqlCallers
from ocw_sidecar.api import create_token
from ocw_sidecar.callers import port
from ocw_sidecar.callers.items import ALL_SCOPES, Scope
from ocw_sidecar.callers.tokens import adopt_tokens, draw_token
from tests.unit.sidecar.api.calls import FHIR, OBSERVATION, confirmed, get, serving, token_for

if TYPE_CHECKING:
    from ocw_sidecar.settings import Settings
    from ocw_sidecar.testing import Rig
    from tests.unit.sidecar.api.calls import Client

NEEDED = [
    ("POST", "/v1/submissions", Scope.SUBMIT),
    ("POST", "/v1/batches", Scope.SUBMIT),
    ("POST", "/v1/patients", Scope.SUBMIT),
    ("GET", "/v1/submissions", Scope.READ),
    ("GET", f"/v1/submissions/{'00' * 16}", Scope.READ),
    ("GET", "/v1/records", Scope.READ),
    ("GET", "/v1/patients", Scope.READ),
    ("GET", f"/v1/patients/{'00' * 32}", Scope.READ),
    ("POST", f"/v1/records/{'00' * 16}/key", Scope.RELEASE_KEYS),
    ("POST", "/v1/failures/replay", Scope.OPERATE),
]


@pytest.mark.parametrize(("method", "path", "scope"), NEEDED)
async def test_each_request_needs_its_scope(
    client: Client, sidecar: Rig, method: str, path: str, scope: Scope
) -> None:
    """A token with every scope but the one is refused, and told which it lacks."""
    lacking = await token_for(sidecar, *(ALL_SCOPES - {scope}))
    async with client.request(method, path, headers=lacking) as response:
        answer = await response.json()
        assert (403, "SCOPE_MISSING") == (response.status, answer["code"])
        assert f"scope {scope};" in answer["message"]
    only = await token_for(sidecar, scope)
    async with client.request(method, path, headers=only) as response:
        assert 403 != response.status


async def test_an_expired_token_is_no_token(client: Client, sidecar: Rig) -> None:
    """Its end stands in the database."""
    now = datetime.now(UTC)
    assert (
        200 == (await get(client, "/v1/whoami", headers=await _ending(sidecar, now + timedelta(hours=1))))[0]
    )
    assert 401 == (await get(client, "/v1/whoami", headers=await _ending(sidecar, now)))[0]


async def _ending(sidecar: Rig, moment: datetime) -> dict[str, str]:
    return await token_for(sidecar, expires_at=moment)


async def test_a_revoked_token_is_refused_within_its_ttl(
    client: Client, sidecar: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running sidecar looks again after some seconds."""
    headers, callers = await token_for(sidecar), SqlCallers(sidecar.database)
    assert 200 == (await get(client, "/v1/whoami", headers=headers))[0]
    (token,) = [each for each in await callers.tokens() if each.used_on is not None]
    assert await callers.revoke(token.token_id, now=datetime.now(UTC))
    assert not await callers.revoke(token.token_id, now=datetime.now(UTC))
    assert 200 == (await get(client, "/v1/whoami", headers=headers))[0]
    monkeypatch.setattr("ocw_sidecar.api.bearers.TOKEN_TTL_S", 0.0)
    assert 401 == (await get(client, "/v1/whoami", headers=headers))[0]


async def test_last_use_is_a_day(client: Client, sidecar: Rig) -> None:
    """When exactly an application works is nobody's business."""
    assert 200 == (await get(client, "/v1/whoami"))[0]
    (token,) = await SqlCallers(sidecar.database).tokens()
    assert token.used_on is not None
    assert (0, 0, 0) == (token.used_on.hour, token.used_on.minute, token.used_on.second)


async def test_tokens_are_kept_as_digests_and_logged_nowhere(client: Client, settings: Settings) -> None:
    """Whoever reads the database or the log cannot act with a token."""
    token = client.session.headers["Authorization"].removeprefix("Bearer ")
    with capture_logs() as logs:
        await client.post("/v1/submissions", data=OBSERVATION, headers=FHIR)
        await client.get("/v1/whoami", headers={"Authorization": f"Bearer {token}x"})
    held = b"".join(path.read_bytes() for path in settings.home.glob(f"{QUEUE_FILE}*"))
    assert token.encode() not in held
    assert token not in str(logs)


async def test_guessing_ends_with_waiting(sidecar: Rig) -> None:
    """After some wrong tokens an address has to wait, but tokens that are known go on."""
    good = await token_for(sidecar)
    async with serving(sidecar, failure_rate=3) as client:
        assert 200 == (await get(client, "/v1/whoami", headers=good))[0]
        statuses = []
        for number in range(5):
            headers = {"Authorization": f"Bearer guess{number}"}
            async with client.get("/v1/whoami", headers=headers) as response:
                statuses.append(response.status)
        assert [401, 401, 401, 429, 429] == statuses
        assert 1 <= int(response.headers["Retry-After"]) <= 60
        assert 200 == (await get(client, "/v1/whoami", headers=good))[0]


async def test_tokens_of_older_versions_go_on(sidecar: Rig, settings: Settings) -> None:
    """The file of digests is taken in once, and gone then; the tokens may do everything."""
    first, second = create_token(settings.home), create_token(settings.home)
    file = settings.home / "tokens"
    assert 0o600 == file.stat().st_mode & 0o777
    assert first not in file.read_text()
    callers, now = SqlCallers(sidecar.database), datetime.now(UTC)
    assert 2 == await adopt_tokens(settings.home, callers, now=now)
    assert not file.exists()
    assert 0 == await adopt_tokens(settings.home, callers, now=now)
    async with serving(sidecar) as client:
        for token in (first, second):
            headers = {"Authorization": f"Bearer {token}"}
            status, answer = await get(client, "/v1/whoami", headers=headers)
            assert (200, sorted(ALL_SCOPES)) == (status, answer["scopes"])


async def test_a_crash_while_taking_tokens_in_loses_none(sidecar: Rig, settings: Settings) -> None:
    """The same file taken in twice gives each token once."""
    create_token(settings.home)
    kept = (settings.home / "tokens").read_bytes()
    callers, now = SqlCallers(sidecar.database), datetime.now(UTC)
    assert 1 == await adopt_tokens(settings.home, callers, now=now)
    (settings.home / "tokens").write_bytes(kept)
    assert 0 == await adopt_tokens(settings.home, callers, now=now)
    assert 1 == len(await callers.tokens())


async def test_tokens_are_bounded(sidecar: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script gone wrong is stopped; tokens that ended long ago make room."""
    monkeypatch.setattr("ocw_sidecar.adapters.sql.callers.MAX_TOKENS", 2)
    callers, now = SqlCallers(sidecar.database), datetime.now(UTC)
    _, old = draw_token(now=now - timedelta(days=400), expires_at=now - timedelta(days=399))
    _, young = draw_token(now=now - timedelta(days=399))
    for token in (old, young):
        await callers.add(token)
    _, another = draw_token(now=now)
    await callers.add(another)
    assert [young.token_id, another.token_id] == [each.token_id for each in await callers.tokens()]
    with pytest.raises(InputInvalid, match="revoke those"):
        await callers.add(draw_token(now=now)[1])
    assert port.MAX_TOKENS == 1000


async def test_idempotency_keys_of_two_tokens_never_meet(client: Client, sidecar: Rig) -> None:
    """Two applications may draw the same key."""
    key = {"Idempotency-Key": "order-1"}
    other = await token_for(sidecar)
    first = await (await client.post("/v1/submissions", data=OBSERVATION, headers=FHIR | key)).json()
    second = await (await client.post("/v1/submissions", data=OBSERVATION, headers=FHIR | key | other)).json()
    assert first["submission"] != second["submission"]


async def test_no_account_of_a_submitter_is_kept(client: Client, sidecar: Rig, settings: Settings) -> None:
    """The queue does not say which application handed a record over."""
    await confirmed(client, sidecar)
    digest = (await SqlCallers(sidecar.database).tokens())[0].digest
    with closing(sqlite3.connect(settings.home / QUEUE_FILE)) as database:
        text = "\n".join(database.iterdump())
    tokens = [line for line in text.splitlines() if digest.hex() in line.lower()]
    assert all(line.startswith('INSERT INTO "tokens"') for line in tokens)
    assert 1 == len(tokens)
