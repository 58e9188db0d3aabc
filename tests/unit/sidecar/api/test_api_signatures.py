"""Requests signed by an account: who may, what is covered, and once only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.chain import calls
from caregrid.keys import Identity
from ocw_sidecar.ports import utc_now
from ocw_sidecar.testing import OPERATOR, ORGANISATION
from tests.unit.sidecar.api.calls import FHIR, OBSERVATION, serving
from tests.unit.sidecar.api.signed import headers_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ocw_sidecar.settings import Settings
    from ocw_sidecar.testing import Rig
    from tests.unit.sidecar.api.calls import Client

STRANGER = Identity.generate()
CLINIC = Identity.generate()


@pytest.fixture
async def anyone(sidecar: Rig) -> AsyncIterator[Client]:
    """A client without token; the clinic's account is an operator of the organisation."""
    chain = sidecar.world.chain
    await chain.submitter(ORGANISATION).submit(calls.set_operators([OPERATOR, CLINIC.account]))
    async with serving(sidecar) as opened:
        yield opened


async def send(
    client: Client, method: str, path: str, headers: dict[str, str], **rest: Any
) -> tuple[int, Any]:
    """Send a request and return status and JSON."""
    async with client.request(
        method, path, headers=headers, skip_auto_headers={"Content-Type"}, **rest
    ) as response:
        return response.status, await response.json()


async def test_an_operator_signs_instead_of_bearing_a_token(anyone: Client) -> None:
    """The organisation's operators may do everything that a token may."""
    path = "/v1/submissions"
    headers = headers_for(anyone, CLINIC, "POST", path, content=OBSERVATION, headers=FHIR)
    status, answer = await send(anyone, "POST", path, headers, data=OBSERVATION)
    assert (202, "received") == (status, answer["state"])
    found = f"{path}/{answer['submission']}?wait=0"
    status, answer = await send(anyone, "GET", found, headers_for(anyone, CLINIC, "GET", found))
    assert (200, "received") == (status, answer["state"])


async def test_everybody_else_has_a_guests_scopes(anyone: Client) -> None:
    """An account that is no operator may ask for keys and follow its notices, nothing else."""
    headers = headers_for(anyone, STRANGER, "GET", "/v1/whoami")
    status, answer = await send(anyone, "GET", "/v1/whoami", headers)
    assert (200, ["audit", "feed", "release-keys"]) == (status, answer["scopes"])
    assert STRANGER.account.hex() == answer["account"]
    for method, path in [("GET", "/v1/records"), ("POST", "/v1/failures/replay"), ("GET", "/v1/patients")]:
        headers = headers_for(anyone, STRANGER, method, path)
        status, answer = await send(anyone, method, path, headers)
        assert (403, "SCOPE_MISSING") == (status, answer["code"])


async def test_a_removed_operator_is_a_guest_soon(
    anyone: Client, sidecar: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the chain says is remembered for seconds only."""
    monkeypatch.setattr("ocw_sidecar.api.operators.OPERATORS_TTL_S", 0.0)
    chain = sidecar.world.chain
    for operators, expected in [([OPERATOR, CLINIC.account], 200), ([OPERATOR], 403)]:
        await chain.submitter(ORGANISATION).submit(calls.set_operators(operators))
        headers = headers_for(anyone, CLINIC, "GET", "/v1/records")
        assert expected == (await send(anyone, "GET", "/v1/records", headers))[0]


async def test_the_same_request_is_refused_the_second_time(anyone: Client) -> None:
    """Whoever recorded a request cannot send it again."""
    headers = headers_for(anyone, CLINIC, "GET", "/v1/records")
    assert 200 == (await send(anyone, "GET", "/v1/records", headers))[0]
    status, answer = await send(anyone, "GET", "/v1/records", headers)
    assert (401, "REQUEST_REPLAYED") == (status, answer["code"])


async def test_another_process_refuses_a_replay_too(anyone: Client, sidecar: Rig) -> None:
    """Nonces stand in the database, not in a process."""
    headers = headers_for(anyone, CLINIC, "GET", "/v1/records")
    assert 200 == (await send(anyone, "GET", "/v1/records", headers))[0]
    host = {"Host": f"{anyone.host}:{anyone.port}"}
    async with serving(sidecar, authorities=(host["Host"],)) as other:
        status, answer = await send(other, "GET", "/v1/records", headers | host)
    assert (401, "REQUEST_REPLAYED") == (status, answer["code"])


@pytest.mark.parametrize(("skew_s", "expected"), [(-59, 200), (59, 200), (-62, 401), (62, 401)])
async def test_clocks_may_differ_a_little(sidecar: Rig, skew_s: int, expected: int) -> None:
    """Within the tolerance a request is good, past it the answer says what is wrong."""
    await sidecar.world.chain.submitter(ORGANISATION).submit(calls.set_operators([OPERATOR, CLINIC.account]))
    now = utc_now()  # for both, so that a busy machine makes no difference
    ports = replace(sidecar.bench.ports, now=lambda: now)
    still = replace(sidecar, bench=replace(sidecar.bench, ports=ports))
    async with serving(still) as client:
        headers = headers_for(client, CLINIC, "GET", "/v1/records", at=now.timestamp() + skew_s)
        status, answer = await send(client, "GET", "/v1/records", headers)
    assert expected == status
    assert answer.get("code") in {None, "CLOCK_SKEWED"}


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "POST"},
        {"authority": "elsewhere.example:7480"},
        {"path": "/v1/patients"},
        {"query": "state=failed"},
        {"headers": {"x-caregrid-patient": "00" * 32}},
        {"headers": {"idempotency-key": "x"}},
    ],
    ids=str,
)
async def test_a_signature_for_another_request_is_refused(anyone: Client, changed: dict[str, Any]) -> None:
    """Method, place, path, query and each header that matters are covered."""
    headers = headers_for(anyone, CLINIC, "GET", "/v1/records", lies=changed)
    status, answer = await send(anyone, "GET", "/v1/records", headers)
    assert (401, "UNAUTHORISED") == (status, answer["code"])


async def test_a_header_added_on_the_way_is_refused(anyone: Client) -> None:
    """A header that changes a request's meaning must be signed when it is sent."""
    headers = headers_for(anyone, CLINIC, "GET", "/v1/records") | {"Idempotency-Key": "theirs"}
    assert 401 == (await send(anyone, "GET", "/v1/records", headers))[0]


async def test_another_accounts_name_under_a_signature_is_refused(anyone: Client) -> None:
    """The account is covered by its own signature."""
    headers = headers_for(anyone, STRANGER, "GET", "/v1/records")
    headers["Signature-Input"] = headers["Signature-Input"].replace(
        STRANGER.account.hex(), CLINIC.account.hex()
    )
    status, answer = await send(anyone, "GET", "/v1/records", headers)
    assert (401, "UNAUTHORISED") == (status, answer["code"])


async def test_a_request_to_another_name_is_refused(anyone: Client) -> None:
    """A request that was signed for one sidecar cannot be passed on to another."""
    elsewhere = {"Host": "other-hospital.example"}
    headers = headers_for(anyone, CLINIC, "GET", "/v1/records", lies={"authority": "other-hospital.example"})
    status, answer = await send(anyone, "GET", "/v1/records", headers | elsewhere)
    assert (401, "UNAUTHORISED") == (status, answer["code"])
    assert "api.authorities" in answer["message"]


async def test_changed_content_is_never_acknowledged(anyone: Client, sidecar: Rig) -> None:
    """The digest is checked before the submission is durable."""
    path = "/v1/submissions"
    headers = headers_for(anyone, CLINIC, "POST", path, content=OBSERVATION, headers=FHIR)
    status, answer = await send(anyone, "POST", path, headers, data=OBSERVATION.replace(b"rate", b"late"))
    assert (400, "CONTENT_ALTERED") == (status, answer["code"])
    assert [] == await sidecar.bench.queue.tallies()


async def test_content_must_be_covered(anyone: Client) -> None:
    """Content without a digest could be exchanged on the way."""
    headers = headers_for(anyone, CLINIC, "POST", "/v1/submissions", headers=FHIR)
    status, answer = await send(anyone, "POST", "/v1/submissions", headers, data=OBSERVATION)
    assert (401, "UNAUTHORISED") == (status, answer["code"])
    assert "Content-Digest" in answer["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Signature-Input": "nonsense"},
        {"Signature-Input": 'caregrid=();created=1;nonce="x";keyid="00";alg="sr25519"'},
        {"Signature-Input": "x" * 8000},
        {"Signature": "caregrid=:AAAA:"},
        {"Signature": ""},
    ],
)
async def test_malformed_signatures_are_refused(anyone: Client, headers: dict[str, str]) -> None:
    """What is not in the form is answered with the form."""
    good = headers_for(anyone, CLINIC, "GET", "/v1/records")
    status, answer = await send(anyone, "GET", "/v1/records", good | headers)
    assert (401, "UNAUTHORISED") == (status, answer["code"])


async def test_token_and_signature_together_are_refused(anyone: Client) -> None:
    """There is one answer to who asks."""
    headers = headers_for(anyone, CLINIC, "GET", "/v1/records") | {"Authorization": "Bearer x"}
    assert 401 == (await send(anyone, "GET", "/v1/records", headers))[0]


async def test_without_the_chain_a_signer_has_to_wait(anyone: Client, sidecar: Rig) -> None:
    """Who is an operator cannot be told then; the answer says that it passes."""
    sidecar.world.chain.reachable = False
    headers = headers_for(anyone, CLINIC, "GET", "/v1/records")
    status, answer = await send(anyone, "GET", "/v1/records", headers)
    assert (503, "CHAIN_UNREACHABLE") == (status, answer["code"])


@pytest.mark.usefixtures("anyone")
async def test_guests_share_a_bound(sidecar: Rig) -> None:
    """Accounts cost nothing to make, so all that are no operators have one allowance together."""
    async with serving(sidecar, guest_rate=2) as fresh:
        statuses = []
        for who in (Identity.generate(), Identity.generate(), Identity.generate(), CLINIC):
            headers = headers_for(fresh, who, "GET", "/v1/whoami")
            statuses.append((await send(fresh, "GET", "/v1/whoami", headers))[0])
    assert [200, 200, 429, 200] == statuses


async def test_no_nonce_or_account_is_kept_in_plain(anyone: Client, settings: Settings) -> None:
    """What is remembered of a request tells nobody who made it."""
    headers = headers_for(anyone, STRANGER, "GET", "/v1/whoami")
    assert 200 == (await send(anyone, "GET", "/v1/whoami", headers))[0]
    held = b"".join(path.read_bytes() for path in settings.home.glob("queue.sqlite3*"))
    nonce = headers["Signature-Input"].partition('nonce="')[2].partition('"')[0]
    assert nonce.encode() not in held
    assert STRANGER.account not in held
    assert STRANGER.account.hex().encode() not in held
