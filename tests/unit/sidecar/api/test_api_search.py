"""Finding one's items again, and the patients."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.chain import calls
from ocw_sidecar.adapters.sql.patients import SqlPatients
from ocw_sidecar.pipeline.steps import RegisterStep
from ocw_sidecar.testing import OPERATOR, ORGANISATION, PATIENT
from tests.unit.sidecar.api.calls import OBSERVATION, get, post

if TYPE_CHECKING:
    from ocw_sidecar.testing import Rig
    from tests.unit.sidecar.api.calls import Client

OTHER = "0d" * 32


@pytest.fixture(autouse=True)
def _roomy(sidecar: Rig) -> None:
    object.__setattr__(sidecar.bench.settings, "queue_limit", 1000)


async def ids(client: Client, path: str) -> list[str]:
    """Return the ids of a whole list, page by page."""
    name = path.removeprefix("/v1/").partition("?")[0]
    found: list[str] = []
    after = ""
    while True:
        status, page = await get(client, f"{path}{'&' if '?' in path else '?'}limit=2{after}")
        assert 200 == status, page
        found += [item[name.removesuffix("s")] for item in page[name]]
        if page["next"] is None:
            return found
        after = f"&before={page['next']}"


async def submit(client: Client, patient: str = PATIENT.hex(), body: bytes | None = None) -> str:
    """Submit and return the id."""
    status, answer = await post(client, body or OBSERVATION, **{"X-CareGrid-Patient": patient})
    assert 202 == status, answer
    return str(answer["submission"])


async def test_lists_come_newest_first_in_pages(client: Client, sidecar: Rig) -> None:
    """Every submission and every record is listed once."""
    made = [await submit(client) for _ in range(5)]
    assert made[::-1] == await ids(client, "/v1/submissions")
    assert [] == await ids(client, "/v1/records")
    await sidecar.drain()
    assert made[::-1] == await ids(client, "/v1/records")


async def test_lists_are_sifted_by_patient_state_and_time(client: Client, sidecar: Rig) -> None:
    """Each filter holds, alone and with the others."""
    before = int(time.time() * 1000)
    rejected = await submit(client, body=b"{")
    failed = await submit(client, OTHER)
    good = await submit(client)
    await sidecar.drain()
    waiting = await submit(client)
    after = int(time.time() * 1000) + 1
    expected = {
        "/v1/submissions?state=received": [waiting],
        "/v1/submissions?state=validated": [good, failed, rejected],
        "/v1/submissions?state=failed": [],
        f"/v1/submissions?patient={OTHER}": [failed],
        "/v1/records?state=rejected": [rejected],
        "/v1/records?state=failed": [failed],
        "/v1/records?state=confirmed": [good],
        f"/v1/records?patient={OTHER}": [failed],
        f"/v1/records?patient={OTHER}&state=confirmed": [],
        f"/v1/records?patient=0x{PATIENT.hex().upper()}&state=confirmed": [good],
        f"/v1/records?since={before}&until={after}": [good, failed, rejected],
        f"/v1/records?until={before}": [],
        f"/v1/records?since={after}": [],
        f"/v1/records?patient={OTHER}&since={after}": [],
    }
    assert expected == {path: await ids(client, path) for path in expected}


async def test_a_page_looks_at_so_many_rows_only(
    client: Client, sidecar: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page without a hit still says where to go on, so a rare state is found in bounded steps."""
    rejected = await submit(client, body=b"{")
    for _ in range(6):
        await submit(client)
    await sidecar.drain()
    monkeypatch.setattr("ocw_sidecar.adapters.sql.search.MAX_LOOKS", 3)
    _, page = await get(client, "/v1/records?state=rejected")
    assert [] == page["records"]
    assert page["next"] is not None
    assert [rejected] == await ids(client, "/v1/records?state=rejected")


async def test_a_listed_record_says_what_its_submission_would(client: Client, sidecar: Rig) -> None:
    """The two views agree."""
    submission = await submit(client, body=b"{")
    await sidecar.drain()
    _, page = await get(client, "/v1/records")
    (listed,) = page["records"]
    _, found = await get(client, f"/v1/submissions/{submission}")
    (record,) = found["records"]
    assert record.items() <= listed.items()
    assert (submission, PATIENT.hex(), "FHIR_R4_JSON") == (
        listed["submission"],
        listed["patient"],
        listed["format"],
    )


@pytest.mark.parametrize(
    "query",
    [
        "patient=abc",
        "state=lost",
        "since=yesterday",
        "limit=0",
        "limit=257",
        "before=zz",
        "colour=scarlet",
        "limit=1&limit=2",
    ],
)
@pytest.mark.parametrize("path", ["/v1/submissions", "/v1/records"])
async def test_bad_queries_are_refused(client: Client, path: str, query: str) -> None:
    """What is not described is refused, and the answer quotes nothing."""
    status, answer = await get(client, f"{path}?{query}")
    assert (400, "INPUT_INVALID") == (status, answer["code"])
    assert not {"scarlet", "colour", "yesterday", "lost"} & set(answer["message"].split())


def register(sidecar: Rig) -> RegisterStep:
    """Return the step that registers patients."""
    return RegisterStep(sidecar.bench, SqlPatients(sidecar.database))


async def ask(client: Client, **body: Any) -> tuple[int, dict[str, Any]]:
    """Ask for a registration."""
    response = await client.post("/v1/patients", json=body)
    return response.status, await response.json()


async def test_a_patient_is_registered_on_chain(client: Client, sidecar: Rig) -> None:
    """Asked for, durable, sent to the chain, read back; and his records are taken then."""
    status, asked = await ask(client, controller="0x" + "0e" * 32)
    assert (202, "pending") == (status, asked["state"])
    path = f"/v1/patients/{asked['patient']}"
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        waiting = group.create_task(get(client, f"{path}?wait=50"))
        await asyncio.sleep(0.05)
        assert 1 == await register(sidecar).run_once()
    assert (200, {"patient": asked["patient"], "state": "registered"}) == waiting.result()
    patient = await sidecar.world.chain.patient(bytes.fromhex(asked["patient"]))
    assert patient is not None
    assert (ORGANISATION, b"\x0e" * 32) == (patient.organisation, patient.controller)
    await submit(client, asked["patient"])
    await sidecar.drain()
    _, page = await get(client, "/v1/records")
    assert ["confirmed"] == [record["state"] for record in page["records"]]


async def test_ids_are_drawn_at_random(client: Client) -> None:
    """Nothing of an id says whose it is."""
    drawn = {(await ask(client))[1]["patient"] for _ in range(3)}
    assert 3 == len(drawn)


async def test_asking_twice_registers_once(client: Client, sidecar: Rig) -> None:
    """A caller who lost the answer asks again with the id that he drew."""
    for _ in range(2):
        assert (202, {"patient": OTHER, "state": "pending"}) == await ask(client, patient=OTHER)
    assert 1 == await register(sidecar).run_once()
    assert (202, {"patient": OTHER, "state": "registered"}) == await ask(client, patient=OTHER)
    assert 0 == await register(sidecar).run_once()
    status, answer = await ask(client, patient=OTHER, controller="0f" * 32)
    assert (409, "CONFLICT") == (status, answer["code"])


async def test_a_crash_after_sending_registers_nobody_twice(client: Client, sidecar: Rig) -> None:
    """The chain is looked at before anything is sent."""
    await ask(client, patient=OTHER)
    chain = sidecar.world.chain
    await chain.submitter(OPERATOR).submit(calls.register_patient(ORGANISATION, bytes.fromhex(OTHER)))
    head = await chain.finalized_head()
    assert 1 == await register(sidecar).run_once()
    assert head == await chain.finalized_head()
    assert "registered" == (await get(client, f"/v1/patients/{OTHER}"))[1]["state"]


async def test_another_organisations_patient_is_not_ours(client: Client, sidecar: Rig) -> None:
    """An id that is taken elsewhere is given up at once, and says why."""
    chain, foreign = sidecar.world.chain, b"\x77" * 32
    await chain.submitter(foreign).submit(calls.register_organisation([]))
    await chain.submitter(foreign).submit(calls.register_patient(foreign, bytes.fromhex(OTHER)))
    await ask(client, patient=OTHER)
    await register(sidecar).run_once()
    _, found = await get(client, f"/v1/patients/{OTHER}")
    assert ("failed", "FOREIGN_PATIENT") == (found["state"], found["reason"])
    assert (202, "pending") == ((again := await ask(client, patient=OTHER))[0], again[1]["state"])


async def test_an_outage_of_the_chain_is_waited_out(client: Client, sidecar: Rig) -> None:
    """The wish stays, is tried again later, and says what holds it up."""
    await ask(client, patient=OTHER)
    sidecar.world.chain.reachable = False
    assert 1 == await register(sidecar).run_once()
    assert 0 == await register(sidecar).run_once()
    _, found = await get(client, f"/v1/patients/{OTHER}")
    assert ("pending", "CHAIN_UNREACHABLE") == (found["state"], found["reason"])


async def test_a_refusal_of_the_chain_is_given_up_in_the_end(client: Client, sidecar: Rig) -> None:
    """A sidecar that is no operator cannot register; that does not pass by itself."""
    chain = sidecar.world.chain
    await chain.submitter(ORGANISATION).submit(calls.set_operators([]))
    await ask(client, patient=OTHER)
    patients = SqlPatients(sidecar.database)
    for _ in range(8):
        for each in await patients.due(10, now=sidecar.bench.ports.now()):
            assert each.state == "pending"
        await register(sidecar).run_once()
        await patients.postpone(bytes.fromhex(OTHER), due=sidecar.bench.ports.now(), reason="soon")
    _, found = await get(client, f"/v1/patients/{OTHER}")
    assert ("failed", "CALL_REJECTED:Emr.NotOperator") == (found["state"], found["reason"])


async def test_patients_seen_are_listed_once(client: Client) -> None:
    """Those registered here and those that submissions name, in the order of their ids."""
    for patient in ("0a" * 32, OTHER, OTHER, "ff" * 32):
        await submit(client, patient)
    await ask(client, patient=OTHER)
    await ask(client, patient="0b" * 32)
    expected = ["0a" * 32, "0b" * 32, OTHER, "ff" * 32]
    found: list[str] = []
    after = ""
    while True:
        _, page = await get(client, f"/v1/patients?limit=1{after}")
        found += page["patients"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert expected == found


async def test_registrations_that_wait_are_bounded(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script gone wrong is stopped."""
    monkeypatch.setattr("ocw_sidecar.adapters.sql.patients.MAX_PENDING", 2)
    statuses = [(await ask(client))[0] for _ in range(3)]
    assert [202, 202, 503] == statuses


async def test_an_unknown_patient_has_no_registration(client: Client) -> None:
    """A typing error is told apart from a wish that waits."""
    status, answer = await get(client, f"/v1/patients/{OTHER}")
    assert (404, "NOT_FOUND") == (status, answer["code"])
