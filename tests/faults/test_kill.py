"""`kill -9` anywhere: nothing acknowledged is lost, nothing is done twice, nothing readable stays behind."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import io
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout

from caregrid.sealed import open_sealed
from ocw_sidecar.api import create_token
from ocw_sidecar.pipeline.crashpoints import CrashPoint
from ocw_sidecar.testing import PATIENT
from tests.databases import TEMPLATE
from tests.postgres_server import dump

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from tests.postgres_server import PostgresServer

SCRIPT = Path(__file__).with_name("sidecar_process.py")
CANARY = "canary-5b1e77c0"
FHIR = "application/fhir+json"
START_TIMEOUT_S = 60.0


def load_script() -> ModuleType:
    """Return the process's own module, whose twins read what the killed process left."""
    spec = importlib.util.spec_from_file_location("sidecar_process", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def observation(name: str) -> bytes:
    """Return a valid resource with the canary in it."""
    value = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": CANARY},
        "note": [{"text": f"{CANARY} {name}"}],
    }
    return json.dumps(value).encode()


def bundle(*resources: bytes) -> bytes:
    """Return a Bundle of resources, byte for byte."""
    entry = b'{"fullUrl": "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e30094%04d", "resource": %b}'
    entries = b", ".join(entry % (number, each) for number, each in enumerate(resources))
    return b'{"resourceType": "Bundle", "type": "collection", "entry": [' + entries + b"]}"


@dataclass(frozen=True)
class Order:
    """One POST, and the plaintexts of the records that must come of it."""

    key: str
    content_type: str
    body: bytes
    plaintexts: tuple[bytes, ...]


ORDERS = (
    Order("small", FHIR, observation("small"), (observation("small"),)),
    Order(
        "large",
        "application/octet-stream",
        CANARY.encode() * 100_000,
        (CANARY.encode() * 100_000,),
    ),
    Order("bundle", FHIR, bundle(observation("a"), observation("b")), (observation("a"), observation("b"))),
    Order("invalid", FHIR, observation("x").replace(b"final", CANARY.encode()), ()),
)


@dataclass
class Site:
    """A hospital's machine: its home folder, what lies outside, and what was acknowledged."""

    home: Path
    outside: Path
    token: str
    database: str | None  #: PostgreSQL's URL
    process: subprocess.Popen[bytes] | None = None
    url: str = ""
    acknowledged: dict[str, str] = field(default_factory=dict)

    def start(self, crash_at: str = "") -> None:
        """Start the sidecar and wait until it answers."""
        ready = self.outside / "ready.json"
        ready.unlink(missing_ok=True)
        with (self.outside / "sidecar.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), str(self.home), str(self.outside)],
                stdout=log,
                stderr=log,
                env={"CAREGRID_CRASH_AT": crash_at, **self._settings()},
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready.exists():
            assert self.process.poll() is None, (self.outside / "sidecar.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.url = json.loads(ready.read_text())["url"]

    def rows(self, query: str) -> list[Any]:
        """Run a query past the daemon."""
        if self.database is None:
            with closing(sqlite3.connect(self.home / "queue.sqlite3")) as database:
                return database.execute(query).fetchall()
        with psycopg.connect(self.database) as server:
            return server.execute(query.encode()).fetchall()

    def _settings(self) -> dict[str, str]:
        # On PostgreSQL nobody voids the leases of the dead, so that they must not last.
        return (
            {}
            if self.database is None
            else {"CAREGRID_DATABASE__URL": self.database, "CAREGRID_LEASE_S": "2"}
        )

    def wait_for_kill(self) -> None:
        """Wait until the process has died of SIGKILL."""
        assert self.process is not None
        assert -signal.SIGKILL == self.process.wait(START_TIMEOUT_S)

    def kill(self) -> None:
        """Kill the process now."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(START_TIMEOUT_S)

    def stop(self) -> None:
        """Stop the process in good order."""
        assert self.process is not None
        self.process.terminate()
        assert 0 == self.process.wait(START_TIMEOUT_S)

    async def send(self, session: ClientSession, order: Order) -> None:
        """POST once; remember the id if it was acknowledged."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "X-CareGrid-Patient": PATIENT.hex(),
            "Content-Type": order.content_type,
            "Idempotency-Key": order.key,
        }
        try:
            async with session.post(
                f"{self.url}/v1/submissions", data=io.BytesIO(order.body), headers=headers
            ) as response:
                answer = await response.json()
        except (ClientError, OSError):
            return
        assert 202 == response.status, answer
        known = self.acknowledged.setdefault(order.key, answer["submission"])
        assert known == answer["submission"]

    async def send_all(self, orders: tuple[Order, ...]) -> None:
        """POST everything at once."""
        async with ClientSession(timeout=ClientTimeout(total=30)) as session, asyncio.TaskGroup() as group:
            for order in orders:
                group.create_task(self.send(session, order))

    async def settled(self, key: str) -> list[dict[str, Any]]:
        """Wait until a submission is at its end and return its records."""
        url = f"{self.url}/v1/submissions/{self.acknowledged[key]}"
        async with ClientSession(headers={"Authorization": f"Bearer {self.token}"}) as session:
            async with asyncio.timeout(60):
                while True:
                    async with session.get(url, params={"wait": "30"}) as response:
                        answer = await response.json()
                    assert 200 == response.status, answer
                    if answer["settled"]:
                        records: list[dict[str, Any]] = answer["records"]
                        return records


@pytest.fixture(params=["sqlite", "postgres"])
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A site without a running sidecar, with either kind of database; what runs at the end is killed."""
    home, outside = tmp_path / "home", tmp_path / "outside"
    outside.mkdir()
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    made = Site(home=home, outside=outside, token=create_token(home), database=url)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """A database of the site's own; it goes with the server."""
    return postgres_server.url(postgres_server.create_database(template=TEMPLATE))


def readable_traces(site: Site) -> list[str]:
    """Return what holds the canary: files of the home folder, the log, or the database."""
    places = [path for path in site.home.rglob("*") if path.is_file()]
    places += [site.outside / "sidecar.log", *(site.outside / "objects").glob("*")]
    texts = {str(path): path.read_bytes() for path in places}
    if site.database is not None:
        texts["database"] = dump(site.database)
    canaries = (CANARY.encode(), CANARY.encode().hex().encode())
    return [name for name, text in texts.items() if any(canary in text for canary in canaries)]


async def check_everything(site: Site, orders: tuple[Order, ...]) -> None:
    """All that was ordered is there exactly once and reads back; nothing is left over."""
    settled = {order: await site.settled(order.key) for order in orders}
    world = load_script()
    chain, store = await world.open_chain(site.outside), world.FileStore(site.outside / "objects")
    keys, wrapped = world.open_keys(site.outside), wrapped_keys(site)
    for order, records in settled.items():
        confirmed = [bytes.fromhex(each["record"]) for each in records if each["state"] == "confirmed"]
        found = []
        for record_id in confirmed:
            place = await chain.record(record_id)
            sealed = await store.read_range(place.object_id, place.offset, place.length)
            assert place.digest == hashlib.sha256(sealed).digest()
            found.append(open_sealed(keys.unwrap(record_id, wrapped[record_id]), record_id, sealed))
        assert order.plaintexts == tuple(found)
    sent = submitted(site)
    assert {1} == set(sent.values())
    assert sum(len(order.plaintexts) for order in orders) == len(sent)


def leftovers(site: Site) -> list[Path]:
    """Return what lies in the spool and pack folders."""
    return [path for folder in ("spool", "packs") for path in (site.home / folder).iterdir()]


def submitted(site: Site) -> Counter[str]:
    """Return in how many calls each record came to the chain."""
    lines = (site.outside / "chain.jsonl").read_text().splitlines()
    batches = (
        params for line in lines for _, _, name, params in json.loads(line) if name == "store_emr_batch"
    )
    return Counter(record["id"] for params in batches for record in params["records"])


def wrapped_keys(site: Site) -> dict[bytes, bytes]:
    """Return the custodian's wrapped keys, past the daemon."""
    return dict(site.rows("SELECT id, wrapped FROM keys"))


#: Each finds rows that must never be there, not even between a kill and the next start.
INVARIANTS = {
    "a received submission has its one job": """
        SELECT 1 FROM submissions LEFT JOIN jobs ON item = submissions.id
        WHERE (state = 'received') <> (stage IS NOT NULL AND stage = 'validate')
    """,
    "a live pack has the job of its state": """
        SELECT 1 FROM packs LEFT JOIN jobs ON item = packs.id
        WHERE coalesce(stage, '') <> CASE state
            WHEN 'planned' THEN 'assemble' WHEN 'assembled' THEN 'store'
            WHEN 'stored' THEN 'anchor' WHEN 'anchored' THEN 'confirm' ELSE '' END
    """,
    "what is not at its end has its bytes": """
        SELECT id FROM records LEFT JOIN payloads USING (id)
        WHERE (state IN ('confirmed', 'rejected')) <> (body IS NULL AND spool IS NULL)
    """,
    "an accepted record has its key": """
        SELECT id FROM records LEFT JOIN keys USING (id) WHERE (state = 'rejected') <> (wrapped IS NULL)
    """,
    "records of a pack lie without gap": """
        SELECT pack FROM records JOIN packs ON packs.id = pack GROUP BY pack, size, record_count
        HAVING sum(length) <> size OR count(*) <> record_count OR max(position + length) <> size
    """,
    "tallies are counts": """
        SELECT state FROM (
            SELECT state, sum(items) AS items FROM tallies WHERE kind = 'record' GROUP BY state
        ) AS tallied
        WHERE items <> (SELECT count(*) FROM records WHERE records.state = tallied.state)
    """,
}


def broken_invariants(site: Site) -> list[str]:
    """Return which invariants do not hold in the database as it lies on disk."""
    if site.database is None:
        assert [("ok",)] == site.rows("PRAGMA integrity_check")
    return [name for name, query in INVARIANTS.items() if site.rows(query)]


def count_submissions(site: Site) -> int:
    """Return how many submissions the queue holds."""
    return int(site.rows("SELECT count(*) FROM submissions")[0][0])


@pytest.mark.parametrize("point", list(CrashPoint))
async def test_kill_at_every_point(site: Site, point: CrashPoint) -> None:
    """Killed at a given point and started again, the sidecar finishes everything, once."""
    await asyncio.to_thread(site.start, point)
    await site.send_all(ORDERS)
    await asyncio.to_thread(site.wait_for_kill)
    before = dict(site.acknowledged)
    assert [] == readable_traces(site)
    assert [] == broken_invariants(site)

    await asyncio.to_thread(site.start)
    await site.send_all(ORDERS)
    assert before.items() <= site.acknowledged.items()
    await check_everything(site, ORDERS)
    assert len(ORDERS) == count_submissions(site)
    await asyncio.to_thread(site.stop)
    assert [] == readable_traces(site)
    assert [] == leftovers(site)
    assert [] == broken_invariants(site)


async def test_random_kills_under_load(site: Site) -> None:
    """Killed again and again at arbitrary moments under load, the sidecar loses and repeats nothing."""
    chance = random.Random(20_260_101)  # noqa: S311 - moments to kill at, not secrets
    orders = tuple(
        Order(f"o{number}", FHIR, observation(f"o{number}"), (observation(f"o{number}"),))
        for number in range(150)
    )
    for round_ in range(5):
        await asyncio.to_thread(site.start)
        some = orders[round_ * 30 : round_ * 30 + 30]
        async with asyncio.TaskGroup() as group:
            group.create_task(site.send_all(some))
            await asyncio.sleep(chance.uniform(0.0, 0.6))
            await asyncio.to_thread(site.kill)
        assert [] == readable_traces(site)
        assert [] == broken_invariants(site)
    before = dict(site.acknowledged)
    await asyncio.to_thread(site.start)
    await site.send_all(orders)
    assert before.items() <= site.acknowledged.items()
    await check_everything(site, orders)
    assert len(orders) == count_submissions(site)
    await asyncio.to_thread(site.stop)
    assert [] == leftovers(site)
