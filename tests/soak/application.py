"""A hospital's application: submits at any sidecar that answers, and checks what became of it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from tests.bench.sidecar.load import observation
from tests.stored import stored_records

if TYPE_CHECKING:
    from caregrid.chain import Chain
    from tests.soak.site import Sidecar, Site

#: One request; a sidecar that is killed in the middle closes the connection at once.
REQUEST_TIMEOUT: Final = ClientTimeout(total=20)
#: After the last fault everything drains by itself within this.
SETTLE_TIMEOUT_S: Final = 180.0
_PAUSE_S: Final = 0.1


class Application:
    """One caller with a token."""

    def __init__(self, site: Site, session: ClientSession, patient: bytes) -> None:
        self._site, self._session, self._patient = site, session, patient
        self.submissions: list[str] = []
        self._run = secrets.token_hex(8)

    @staticmethod
    def session(site: Site) -> ClientSession:
        """Return a session with the token."""
        return ClientSession(headers={"Authorization": f"Bearer {site.token}"}, timeout=REQUEST_TIMEOUT)

    async def submit_until(self, stop: asyncio.Event, *, rate: float) -> None:
        """Submit one resource after the other, each until it is acknowledged."""
        number = 0
        while not stop.is_set():
            self.submissions.append(await self.submit(number))
            number += 1
            await asyncio.sleep(1 / rate)

    async def submit(self, number: int) -> str:
        """Submit a resource, at another sidecar after each fault; return the submission's id."""
        headers = {
            "X-CareGrid-Patient": self._patient.hex(),
            "Content-Type": "application/fhir+json",
            "Idempotency-Key": f"{self._run}-{number}",
        }
        deadline, turn = time.monotonic() + SETTLE_TIMEOUT_S, number
        while time.monotonic() < deadline:
            one = self._site.sidecars[turn % len(self._site.sidecars)]
            turn += 1
            try:
                async with self._session.post(
                    f"{one.url}/v1/submissions", json=observation(number), headers=headers
                ) as answer:
                    if answer.status == 202:
                        return str((await answer.json())["submission"])
                    assert answer.status in {429, 500, 503}, await answer.text()
            except (ClientError, TimeoutError):
                pass
            await asyncio.sleep(_PAUSE_S)
        raise AssertionError("no sidecar takes anything in")

    async def check(self, chain: Chain, begun: int) -> int:
        """Wait until all is settled: each record final, and on chain once; return their number."""
        records = [record for each in self.submissions for record in await self._settled(each)]
        assert Counter({"confirmed": len(self.submissions)}) == Counter(each["state"] for each in records)
        stored = Counter(await stored_records(chain, begun))
        assert Counter(bytes.fromhex(each["record"]) for each in records) == stored
        return len(records)

    async def look(self, one: Sidecar, submission: str) -> dict[str, Any]:
        """Return how far a submission has come."""
        async with self._session.get(f"{one.url}/v1/submissions/{submission}") as answer:
            answer.raise_for_status()
            return dict(await answer.json())

    async def _settled(self, submission: str) -> list[dict[str, Any]]:
        deadline, found = time.monotonic() + SETTLE_TIMEOUT_S, dict[str, Any]()
        while time.monotonic() < deadline:
            try:
                found = await self.look(self._site.living[0], submission)
            except (ClientError, TimeoutError):
                found = {"settled": False}
            if found["settled"]:
                return list(found["records"])
            await asyncio.sleep(_PAUSE_S)
        raise AssertionError(f"submission {submission} did not settle: {found}")
