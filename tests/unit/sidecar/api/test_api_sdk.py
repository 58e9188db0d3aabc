"""The SDK and the API understand each other: with a token, and signed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from caregrid import errors
from caregrid.chain import calls
from caregrid.client import EmrClient
from caregrid.intake import SidecarClient
from caregrid.keys import Identity
from caregrid.records import RecordFormat
from caregrid.statuses import BatchItem
from caregrid.sync import EmrClient as BlockingClient
from ocw_sidecar.adapters.sql.patients import SqlPatients
from ocw_sidecar.pipeline.steps import RegisterStep
from ocw_sidecar.testing import OPERATOR, ORGANISATION, PATIENT
from tests.unit.sidecar.api.calls import OBSERVATION, serving, token_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ocw_sidecar.testing import Rig

CLINIC = Identity.generate()


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """A served API and a client of the SDK's."""

    rig: Rig
    client: SidecarClient
    url: str


@pytest.fixture(params=["token", "signed"])
async def site(request: pytest.FixtureRequest, sidecar: Rig) -> AsyncIterator[Site]:
    """The same site, used in each way."""
    object.__setattr__(sidecar.bench.settings, "queue_limit", 1000)
    operators = calls.set_operators([OPERATOR, CLINIC.account])
    await sidecar.world.chain.submitter(ORGANISATION).submit(operators)
    token = (await token_for(sidecar))["Authorization"].removeprefix("Bearer ")
    async with serving(sidecar) as served:
        url = str(served.make_url("/"))
        way = {"token": token} if request.param == "token" else {"identity": CLINIC}
        client = SidecarClient(url, **way)
        try:
            yield Site(rig=sidecar, client=client, url=url)
        finally:
            await client.close()


async def test_content_goes_in_and_its_status_comes_out(site: Site, tmp_path: Path) -> None:
    """Bytes and files, each followed to the end."""
    file = tmp_path / "scan"
    file.write_bytes(bytes(300_000))
    first = await site.client.submit(OBSERVATION, patient_id=PATIENT, format=RecordFormat.FHIR_R4_JSON)
    second = await site.client.submit(file, patient_id=PATIENT, format=RecordFormat.BINARY)
    await site.rig.drain()
    for submission in (first, second):
        status = await site.client.wait(submission, timeout_s=5)
        assert ["confirmed"] == [item.state for item in status.items]


async def test_a_request_can_be_made_again(site: Site) -> None:
    """Each signing has a nonce of its own, so the same call twice is no replay; the key makes it one."""
    twice = [
        await site.client.submit(
            OBSERVATION, patient_id=PATIENT, format=RecordFormat.FHIR_R4_JSON, idempotency_key="order-1"
        )
        for _ in range(2)
    ]
    assert twice[0] == twice[1]


async def test_many_resources_go_in_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Split into requests as need be; answers are numbered through, and pretty-printed JSON is one line."""
    monkeypatch.setattr("caregrid.intake.BATCH_LINES", 3)
    pretty = b'{\r\n  "resourceType": "Observation"\n}'
    items = [BatchItem(patient_id=PATIENT, resource=OBSERVATION, key=f"k{n}") for n in range(6)]
    items[4] = BatchItem(patient_id=b"\x01", resource=OBSERVATION)
    items.append(BatchItem(patient_id=PATIENT, resource=pretty))
    answers = [answer async for answer in site.client.submit_many(items)]
    assert [*range(7)] == [answer.index for answer in answers]
    assert [4] == [answer.index for answer in answers if isinstance(answer.error, errors.InputInvalid)]
    assert 6 == len({answer.submission_id for answer in answers if answer.submission_id is not None})
    again = [answer async for answer in site.client.submit_many(items[:4])]
    assert [answer.submission_id for answer in answers[:4]] == [answer.submission_id for answer in again]


async def test_items_are_found_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists go on from page to page."""
    monkeypatch.setattr("caregrid.intake._PAGE", 2)
    ids = [
        await site.client.submit(OBSERVATION, patient_id=PATIENT, format=RecordFormat.FHIR_R4_JSON)
        for _ in range(5)
    ]
    await site.rig.drain()
    found = [each.item.record_id async for each in site.client.find_records(state="confirmed")]
    assert ids[::-1] == found
    assert ids[::-1] == [
        each.submission_id async for each in site.client.find_submissions(patient_id=PATIENT)
    ]
    assert [] == [each async for each in site.client.find_records(patient_id=b"\x05" * 32)]
    assert [PATIENT] == [each async for each in site.client.patients()]


async def test_a_patient_is_registered_through_the_sidecar(site: Site) -> None:
    """The call returns when the chain has him."""
    step = RegisterStep(site.rig.bench, SqlPatients(site.rig.database))

    async def work() -> None:
        while not await step.run_once():  # noqa: ASYNC110 - the wish comes over the API
            await asyncio.sleep(0.01)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(work())
        patient = await site.client.register_patient(timeout_s=5)
    assert await site.rig.world.chain.patient(patient) is not None
    assert [patient] == [each async for each in site.client.patients()]


async def test_errors_come_back_as_their_classes(site: Site) -> None:
    """What the sidecar refuses is raised as what it is."""
    with pytest.raises(errors.NotFound):
        await site.client.status(bytes(16))
    with pytest.raises(errors.InputEmpty):
        await site.client.submit(b"", patient_id=PATIENT, format=RecordFormat.FHIR_R4_JSON)
    stranger = SidecarClient(site.url, identity=Identity.generate())
    with pytest.raises(errors.NoGrant):
        await stranger.release_key(bytes(16))
    await stranger.close()
    assert 0 == await site.client.replay_failures()


async def test_a_wrong_token_is_unauthorised(site: Site) -> None:
    """Without a word of who else may."""
    client = SidecarClient(site.url, "wrong")
    with pytest.raises(errors.Unauthorised):
        await client.status(bytes(16))
    await client.close()


@pytest.mark.parametrize("way", [{}, {"token": "x", "identity": CLINIC}])
def test_there_is_one_way_to_be_known(way: dict[str, object]) -> None:
    """A token or an identity, not none and not both."""
    with pytest.raises(errors.ConfigInvalid):
        SidecarClient("http://127.0.0.1:1", **way)  # type: ignore[arg-type]  # the parameters are the point


async def test_the_blocking_client_does_the_same(site: Site) -> None:
    """Its lists are plain generators."""
    world = site.rig.world
    client = EmrClient(
        identity=CLINIC,
        chain=world.chain,
        submitter=world.chain.submitter(CLINIC.account),
        store=world.store,
        organisation=ORGANISATION,
        sidecar=SidecarClient(site.url, identity=CLINIC),
    )

    def work() -> tuple[int, list[bytes], list[bytes]]:
        with BlockingClient(client) as blocking:
            items = [BatchItem(patient_id=PATIENT, resource=OBSERVATION) for _ in range(2)]
            submissions = [answer.submission_id for answer in blocking.submit_many(items)]
            assert submissions[0] is not None
            status = blocking.status(submissions[0])
            found = [each.submission_id for each in blocking.find_records()]
            return len(status.items), found, list(blocking.patients())

    assert (0, [], [PATIENT]) == await asyncio.to_thread(work)


async def test_without_a_sidecar_there_is_nobody_to_ask(site: Site) -> None:
    """The message says what to set."""
    world = site.rig.world
    alone = EmrClient(identity=CLINIC, chain=world.chain, submitter=world.submitter, store=world.store)
    with pytest.raises(errors.ConfigInvalid, match="name one in the profile"):
        await alone.status(bytes(16))
