"""Feed, list and preferences as recipients see them; the feed by the SDK too."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from caregrid.client import EmrClient
from caregrid.errors import AccessRefused, ChannelRefused, ConfigInvalid, ProtocolViolation
from caregrid.feed import FeedEvent, FeedGap, FeedNotice
from caregrid.intake import SidecarClient
from caregrid.keys import Identity
from caregrid.preferences import ChannelChoice
from caregrid.records import RecordFormat
from caregrid.statuses import BatchItem
from caregrid.sync import EmrClient as BlockingClient
from caregrid.webhooks import new_secret
from ocw_sidecar.adapters.channels import RealChannels
from ocw_sidecar.adapters.sql import notices as sql_notices
from ocw_sidecar.adapters.sql.callers import SqlCallers
from ocw_sidecar.adapters.sql.channels import SqlChannelBook
from ocw_sidecar.adapters.sql.compaction import SqlCompactionBook
from ocw_sidecar.adapters.sql.deliveries import SqlOutbox
from ocw_sidecar.adapters.sql.notices import SqlNotices
from ocw_sidecar.adapters.sql.patients import SqlPatients
from ocw_sidecar.adapters.sql.search import SqlSearch
from ocw_sidecar.adapters.sql.threats import SqlThreatTables
from ocw_sidecar.api import Api, build_app, feed, preferences
from ocw_sidecar.api.callers import Scope
from ocw_sidecar.background.audit_log import AuditLog
from ocw_sidecar.composition import make_eraser
from ocw_sidecar.notifications.delivery import Fault
from ocw_sidecar.notifications.items import NoticeKind, notice
from ocw_sidecar.notifications.preferences import Preferences
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.testing import ORGANISATION, PATIENT
from tests.unit.sidecar.api.calls import OBSERVATION, token_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from ocw_sidecar.testing import Rig
    from tests.unit.sidecar.api.calls import Client

ALICE, BOB = b"\x0a" * 32, b"\x0b" * 32
CANARY = "canary-5b1e77c0"


@dataclass(kw_only=True)
class Site:
    """A sidecar's API with notices behind it."""

    rig: Rig
    client: Client
    notices: SqlNotices
    outbox: SqlOutbox
    stopping: bool = False

    async def tell(self, recipient: bytes, *numbers: int) -> None:
        """Have a recipient told."""
        now = self.rig.bench.ports.now()
        kind = NoticeKind.ACCESS_GRANTED
        await self.notices.add([notice(kind, recipient, now, block=number) for number in numbers])
        self.rig.bench.bells.ring(Bell.NOTIFY)

    async def token(self, account: bytes | None, *scopes: Scope) -> dict[str, str]:
        """Return a header with a token."""
        return await token_for(self.rig, *(scopes or (Scope.FEED,)), account=account)

    async def sdk(self, account: bytes, *scopes: Scope) -> SidecarClient:
        """Return the SDK's client for an account."""
        header = await self.token(account, *scopes)
        return SidecarClient(str(self.client.make_url("/")), header["Authorization"].split()[1])

    async def call(self, method: str, path: str, account: bytes | None = ALICE, **options: Any) -> Any:
        """Return status and JSON of an answer."""
        headers = await self.token(account)
        async with self.client.request(method, path, headers=headers, **options) as response:
            return response.status, (await response.json()) if response.status != 204 else None


@asynccontextmanager
async def opened(sidecar: Rig, *, limit: int = 8) -> AsyncIterator[Site]:
    """Serve the API with the routes of notifications."""
    database, bench = sidecar.database, sidecar.bench
    channels = RealChannels(bench.settings.notifications)
    notices, outbox = SqlNotices(database), SqlOutbox(database)
    chosen = Preferences(SqlChannelBook(database), bench.ports.key_store, channels)
    made: list[Site] = []
    feeds = feed.Feed(
        notices,
        bench.bells,
        organisation=ORGANISATION,
        limit=limit,
        closed=lambda: bool(made) and made[0].stopping,
    )
    handlers = preferences.PreferenceHandlers(bench, chosen, outbox)
    api = Api(
        bench=bench,
        intake=sidecar.intake,
        callers=SqlCallers(database),
        patients=SqlPatients(database),
        search=SqlSearch(database),
        eraser=make_eraser(sidecar.bench, database),
        compaction=SqlCompactionBook(database),
        threats=SqlThreatTables(database, ORGANISATION),
        audit=AuditLog(bench.settings.logs_path, now=bench.ports.now),
        outbox=outbox,
        more=[*feed.routes(feeds), *preferences.routes(handlers)],
    )
    server = TestServer(build_app(api))
    async with TestClient(server) as client:
        made.append(Site(rig=sidecar, client=client, notices=notices, outbox=outbox))
        yield made[0]
        made[0].stopping = True
        bench.bells.ring_all()
    await channels.close()


@pytest.fixture
async def site(sidecar: Rig) -> AsyncIterator[Site]:
    """The API of a sidecar that is driven by hand."""
    async with opened(sidecar) as made:
        yield made


async def take(client: SidecarClient, count: int, *, after: int | None = None) -> list[FeedEvent]:
    """Return the next events of a feed."""
    found: list[FeedEvent] = []
    async with asyncio.timeout(10), aclosing(client.feed(after=after)) as events:
        while len(found) < count:
            found.append(await anext(events))
    return found


def positions(events: Sequence[FeedEvent]) -> list[int]:
    """Return the notices' positions."""
    return [event.position for event in events if isinstance(event, FeedNotice)]


async def test_list_is_the_callers_own(site: Site) -> None:
    """Nobody sees what another is told."""
    await site.tell(ALICE, 1, 2)
    await site.tell(BOB, 3)
    status, answer = await site.call("GET", "/v1/notices")
    assert (200, 2, None) == (status, answer["newest"], answer["gap"])
    assert [1, 2] == [each["facts"]["block"] for each in answer["notices"]]
    status, answer = await site.call("GET", "/v1/notices?after=1&limit=1")
    assert [2] == [each["position"] for each in answer["notices"]]


async def test_operators_token_reads_the_organisations(site: Site) -> None:
    """A token of no account speaks for the organisation if it may operate, else for nobody."""
    await site.tell(ORGANISATION, 1)
    headers = await site.token(None, Scope.FEED, Scope.OPERATE)
    async with site.client.get("/v1/notices", headers=headers) as response:
        assert 1 == (await response.json())["newest"]
    for path in ("/v1/notices", "/v1/feed", "/v1/preferences"):
        status, answer = await site.call("GET", path, None)
        assert (403, "ACCESS_REFUSED") == (status, answer["code"])


async def test_scope_is_needed(site: Site) -> None:
    """A token for something else opens no feed."""
    headers = await site.token(ALICE, Scope.SUBMIT)
    for path in ("/v1/notices", "/v1/feed", "/v1/preferences"):
        async with site.client.get(path, headers=headers) as response:
            assert 403 == response.status


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=0", "limit=101", "surprise=1"])
async def test_bad_queries_are_refused(site: Site, query: str) -> None:
    """What is not understood is not guessed at."""
    assert 400 == (await site.call("GET", f"/v1/notices?{query}"))[0]


@pytest.mark.parametrize("header", ["x", "-1", "1" * 17, "99999999999999999", "²"])
async def test_bad_last_event_id_is_refused(site: Site, header: str) -> None:
    """A feed goes on behind one of its own events."""
    headers = await site.token(ALICE)
    async with site.client.get("/v1/feed", headers={**headers, "Last-Event-ID": header}) as response:
        assert 400 == response.status


async def test_feed_gives_what_was_and_what_comes(site: Site) -> None:
    """A reader gets what waits for him, then each notice as it comes."""
    await site.tell(ALICE, 1)
    await site.tell(BOB, 2)
    client = await site.sdk(ALICE)
    async with asyncio.timeout(10), aclosing(client.feed()) as events:
        first = await anext(events)
        await site.tell(ALICE, 3, 4)
        rest = [await anext(events), await anext(events)]
    await client.close()
    assert [1, 2, 3] == positions([first, *rest])
    assert isinstance(first, FeedNotice)
    assert ("access_granted", {"block": 1}, 32) == (first.kind, first.facts, len(first.id))


async def test_account_that_signs_follows_its_own_feed(site: Site) -> None:
    """A reader needs no token: his key shows who he is, at each new connection too."""
    reader = Identity.generate()
    await site.tell(reader.account, 1, 2)
    await site.tell(ALICE, 3)
    client = SidecarClient(str(site.client.make_url("/")), identity=reader)
    assert [1, 2] == positions(await take(client, 2))
    assert [2] == positions(await take(client, 1, after=1))
    page = await client.notices()
    assert [1, 2] == positions(page.items)
    await client.close()


async def test_feed_sees_what_rings_no_bell(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another process took in comes too."""
    monkeypatch.setattr(feed, "LOOK_EVERY_S", 0.05)
    client = await site.sdk(ALICE)
    now = site.rig.bench.ports.now()
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(take(client, 1))
        await asyncio.sleep(0.2)
        await site.notices.add([notice(NoticeKind.ACCESS_GRANTED, ALICE, now, block=1)])
    await client.close()
    assert [1] == positions(reading.result())


async def test_feed_goes_on_behind_a_position(site: Site) -> None:
    """A reader who comes back gets what he has not seen, once."""
    await site.tell(ALICE, *range(150))  # more than a page
    client = await site.sdk(ALICE)
    assert list(range(121, 151)) == positions(await take(client, 30, after=120))
    assert list(range(1, 151)) == positions(await take(client, 150))
    await client.close()


async def test_feed_is_made_anew_when_it_breaks(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's reader neither loses nor repeats anything when the sidecar ends its feed."""
    monkeypatch.setattr("caregrid.feed.FIRST_WAIT_S", 0.05)
    await site.tell(ALICE, 1)
    client = await site.sdk(ALICE)
    async with asyncio.timeout(10), aclosing(client.feed()) as events:
        first = await anext(events)
        site.stopping = True
        site.rig.bench.bells.ring(Bell.NOTIFY)
        await asyncio.sleep(0.2)
        site.stopping = False
        await site.tell(ALICE, 2)
        second = await anext(events)
    await client.close()
    assert [1, 2] == positions([first, second])


async def test_gap_is_said(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader who was away too long learns that he missed something, and up to where."""
    monkeypatch.setattr(sql_notices, "MAX_KEPT", 5)
    monkeypatch.setattr(sql_notices, "DROP_BATCH", 2)
    await site.tell(ALICE, *range(10))
    client = await site.sdk(ALICE)
    events = await take(client, 7, after=0)
    assert FeedGap(until=4) == events[0]
    assert list(range(5, 11)) == positions(events)
    assert [5] == positions(await take(client, 1))  # a new reader is not told of what was before him
    page = await client.notices(after=2)
    assert (4, 10) == (page.gap, page.newest)
    (gap,) = await take(client, 1, after=1)
    assert FeedGap(until=4) == gap
    await client.close()


async def test_gap_alone_is_said_once(site: Site) -> None:
    """When everything is gone the reader learns that, and then waits."""
    await site.tell(ALICE, 1, 2)
    await site.notices.purge(site.rig.bench.ports.now().replace(year=2200), 10)
    client = await site.sdk(ALICE)
    async with asyncio.timeout(10), aclosing(client.feed(after=0)) as events:
        first = await anext(events)
        await site.tell(ALICE, 3)
        second = await anext(events)
    await client.close()
    assert FeedGap(until=2) == first
    assert [3] == positions([second])


async def test_feeds_are_bounded(sidecar: Rig) -> None:
    """One account cannot take all places, nor can accounts that nobody ever told anything."""
    async with opened(sidecar, limit=8) as site:
        await site.tell(ALICE, 1)
        headers = await site.token(ALICE)
        held = [await site.client.get("/v1/feed", headers=headers) for _ in range(feed.FEEDS_PER_ACCOUNT)]
        assert [200] * 4 == [response.status for response in held]
        async with site.client.get("/v1/feed", headers=headers) as refused:
            assert (429, "RATE_LIMITED") == (refused.status, (await refused.json())["code"])
        strangers = [bytes([number]) * 32 for number in range(50, 53)]
        tokens = [await site.token(each) for each in strangers]
        answers = [await site.client.get("/v1/feed", headers=each) for each in tokens]
        assert [200, 200, 429] == [response.status for response in answers]
        await site.tell(BOB, 1)
        known = await site.client.get("/v1/feed", headers=await site.token(BOB))
        assert 200 == known.status
        for response in (*held, *answers, known):
            response.close()


async def test_refusal_ends_the_sdks_feed(site: Site) -> None:
    """A reader who may not read is told so, and does not come back for ever."""
    headers = await site.token(ALICE, Scope.SUBMIT)
    client = SidecarClient(str(site.client.make_url("/")), headers["Authorization"].split()[1])
    with pytest.raises(AccessRefused):
        await take(client, 1)
    await client.close()


async def test_what_is_no_feed_is_refused(site: Site) -> None:
    """Something else on the sidecar's address is not taken for a feed."""
    client = await site.sdk(ALICE)
    elsewhere = client._request("GET", "/livez")
    client._request = lambda *_, **__: elsewhere  # type: ignore[method-assign]
    with pytest.raises(ProtocolViolation):
        await take(client, 1)
    await client.close()


def test_blocking_client_reads_the_feed() -> None:
    """Without `await`, a feed is a generator; a profile without sidecar has none."""

    class Stub:
        def __init__(self) -> None:
            self.closed = False

        async def feed(self, *, after: int | None) -> AsyncIterator[int]:
            try:
                for position in range((after or 0) + 1, 100):
                    await asyncio.sleep(0)
                    yield position
            finally:
                self.closed = True

    stub: Any = Stub()
    client = BlockingClient(stub)
    events: Any = client.feed(after=5)
    assert [6, 7] == [next(events), next(events)]
    events.close()
    assert stub.closed
    client._runner.close()


WEBHOOK: dict[str, Any] = {
    "type": "webhook",
    "url": f"https://example.org/{CANARY}",
    "secrets": [new_secret()],
}


async def test_preferences_are_kept_and_never_echoed(site: Site) -> None:
    """What was set is described, without what identifies or opens."""
    await site.tell(ALICE, 1)
    wanted = {"channels": [WEBHOOK | {"kinds": ["access_granted"], "digest_at": "07:30"}]}
    status, answer = await site.call("PUT", "/v1/preferences", json=wanted)
    assert 200 == status
    expected = {
        "type": "webhook",
        "scheme": "https",
        "host": "example.org",
        "kinds": ["access_granted", "emergency_access"],
        "digest_at": "07:30",
        "failures": 0,
        "waiting": 0,
        "given_up": 0,
        "code": None,
    }
    assert {"channels": [expected]} == answer
    assert answer == (await site.call("GET", "/v1/preferences"))[1]
    assert {"channels": []} == (await site.call("GET", "/v1/preferences", BOB))[1]
    text = json.dumps(answer)
    assert (False, False) == (CANARY in text, WEBHOOK["secrets"][0] in text)
    assert 204 == (await site.call("DELETE", "/v1/preferences"))[0]
    assert {"channels": []} == (await site.call("GET", "/v1/preferences"))[1]


@pytest.mark.parametrize(
    ("channel", "status", "code"),
    [
        ({"type": "webhook"}, 400, "INPUT_INVALID"),
        (WEBHOOK | {"surprise": CANARY}, 400, "INPUT_INVALID"),
        (WEBHOOK | {"kinds": [CANARY]}, 400, "INPUT_INVALID"),
        (WEBHOOK | {"secrets": [f"whsec_{CANARY}"]}, 400, "INPUT_INVALID"),
        (WEBHOOK | {"secrets": []}, 403, "CHANNEL_REFUSED"),
        (WEBHOOK | {"secrets": ["whsec_" + "A" * 33]}, 403, "CHANNEL_REFUSED"),
        (WEBHOOK | {"url": f"https://127.0.0.1/{CANARY}"}, 403, "CHANNEL_REFUSED"),
        ({"type": "apprise", "url": f"file:///{CANARY}"}, 403, "CHANNEL_REFUSED"),
    ],
)
async def test_unusable_channels_are_refused(
    site: Site, channel: dict[str, Any], status: int, code: str
) -> None:
    """Nothing is kept, and the answer quotes nothing."""
    await site.tell(ALICE, 1)
    found, answer = await site.call("PUT", "/v1/preferences", json={"channels": [channel]})
    assert (status, code) == (found, answer["code"])
    assert CANARY not in answer["message"]
    assert {"channels": []} == (await site.call("GET", "/v1/preferences"))[1]


async def test_strangers_have_no_preferences(site: Site) -> None:
    """Anybody can draw accounts; what we keep for them is not theirs to fill."""
    status, answer = await site.call("PUT", "/v1/preferences", json={"channels": [WEBHOOK]})
    assert (403, "ACCESS_REFUSED") == (status, answer["code"])
    headers = await site.token(None, Scope.FEED, Scope.OPERATE)
    async with site.client.put("/v1/preferences", headers=headers, json={"channels": [WEBHOOK]}) as response:
        assert 200 == response.status


async def give_up(site: Site) -> None:
    """Have a notice to Alice given up."""
    await site.tell(ALICE, 1)
    await site.call("PUT", "/v1/preferences", json={"channels": [WEBHOOK]})
    await site.tell(ALICE, 2)
    now = site.rig.bench.ports.now()
    (turn,) = await site.outbox.claim(sound=1, troubled=1, batch=10, now=now, until=now.replace(year=2200))
    lost = Fault(retried=[], given_up=[turn.deliveries[0].id], code="CHANNEL_REFUSED", due=now)
    await site.outbox.note_fault(turn, lost)


@pytest.mark.parametrize("way", ["one", "many"])
async def test_submitter_is_told_of_what_failed(site: Site, way: str) -> None:
    """An application with an account of its own finds its failures in its feed, and nobody else's."""
    await site.notices.oversee(ORGANISATION)
    alice = await site.sdk(ALICE, Scope.SUBMIT, Scope.FEED)
    broken = b'{"resourceType": "Observation", "note": "' + CANARY.encode() + b'"}'
    if way == "one":
        taken = await alice.submit(broken, patient_id=PATIENT, format=RecordFormat.FHIR_R4_JSON)
    else:
        items = [BatchItem(patient_id=PATIENT, resource=broken)]
        [answer] = [each async for each in alice.submit_many(items)]
        taken = answer.submission_id or b""
    bob = await site.sdk(BOB, Scope.SUBMIT, Scope.FEED)
    await bob.submit(OBSERVATION, patient_id=PATIENT, format=RecordFormat.FHIR_R4_JSON)
    await site.rig.drain()
    [told] = (await alice.notices()).items
    assert ("record_failed", taken.hex(), 1) == (
        told.kind, told.facts["submission"], told.facts["records"],
    )  # fmt: skip
    assert CANARY not in repr(told)
    assert (0, 1) == ((await bob.notices()).newest, (await site.notices.after(ORGANISATION, None, 9)).newest)
    for client in (alice, bob):
        await client.close()


async def test_operators_see_deliveries_and_try_them_again(site: Site) -> None:
    """Of all recipients: the metrics count them, and the word that replays failures covers them, too."""
    await give_up(site)
    assert {"waiting": 0, "failed": 1} == await counted(site)
    operator = await site.token(None, Scope.OPERATE)
    async with site.client.post("/v1/failures/replay", headers=operator) as response:
        assert {"replayed": 0, "deliveries": 1} == await response.json()
    assert {"waiting": 1, "failed": 0} == await counted(site)


async def counted(site: Site) -> dict[str, int]:
    """Return the metric of deliveries by state."""
    async with site.client.get("/metrics") as response:
        text = await response.text()
    found = re.findall(r'^caregrid_deliveries\{state="(\w+)"\} (\d+)', text, re.MULTILINE)
    return {state: int(items) for state, items in found}


async def test_the_sdk_sets_and_shows_channels(site: Site) -> None:
    """What was chosen is described again without what identifies or opens; none is the feed alone."""
    client = await site.sdk(ALICE, Scope.FEED, Scope.SUBMIT)
    mail = ChannelChoice(type="apprise", url=f"mailtos://{CANARY}:pw@example.org", kinds=["record_failed"])
    hook = ChannelChoice(**WEBHOOK, digest_at="07:30")
    assert CANARY not in repr([mail, hook])
    shown = await client.set_preferences([mail, hook])
    assert shown == await client.preferences()
    assert [("apprise", "mailtos", None), ("webhook", "https", "example.org")] == [
        (each.type, each.scheme, each.host) for each in shown
    ]
    assert [["emergency_access", "record_failed"], "07:30"] == [shown[0].kinds, shown[1].digest_at]
    assert [] == await client.set_preferences([])
    assert [] == await client.preferences()
    await client.close()


async def test_the_sdk_raises_what_is_wrong_with_a_channel(site: Site) -> None:
    """A stranger is refused, and so is a way that leads inside."""
    stranger, submitter = await site.sdk(BOB), await site.sdk(ALICE, Scope.FEED, Scope.SUBMIT)
    with pytest.raises(AccessRefused):
        await stranger.set_preferences([ChannelChoice(**WEBHOOK)])
    inside = ChannelChoice(**WEBHOOK | {"url": f"https://127.0.0.1/{CANARY}"})
    with pytest.raises(ChannelRefused) as refused:
        await submitter.set_preferences([inside])
    assert CANARY not in str(refused.value)
    for client in (stranger, submitter):
        await client.close()


async def test_the_blocking_client_keeps_preferences(site: Site) -> None:
    """Set, show and try again, without `await`."""
    await give_up(site)
    client = EmrClient.__new__(EmrClient)
    client.sidecar = await site.sdk(ALICE)

    def work() -> list[tuple[int, int]]:
        blocking = BlockingClient(client)
        before = blocking.preferences()
        assert 1 == blocking.replay_deliveries()
        after = blocking.set_preferences([ChannelChoice(**WEBHOOK)])
        blocking._run(client.sidecar.close())  # type: ignore[union-attr]  # it was set above
        blocking._runner.close()
        return [(each.waiting, each.given_up) for each in (*before, *after)]

    assert [(0, 1), (1, 0)] == await asyncio.to_thread(work)


async def test_given_up_is_tried_again(site: Site) -> None:
    """A recipient who has corrected his address gets what was lost."""
    await give_up(site)
    assert 1 == (await site.call("GET", "/v1/preferences"))[1]["channels"][0]["given_up"]
    assert (200, {"replayed": 0}) == await site.call("POST", "/v1/preferences/replay", BOB)
    assert (200, {"replayed": 1}) == await site.call("POST", "/v1/preferences/replay")
    assert {"waiting": 1, "failed": 0} == await site.outbox.tallies()


def test_client_without_sidecar_has_no_feed() -> None:
    """Notices come from a custodian's sidecar."""
    client = EmrClient.__new__(EmrClient)
    client.sidecar = None
    with pytest.raises(ConfigInvalid):
        client.feed()
