"""Who leads: one at any time, and soon another one when he dies, hangs or loses his session."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocw_sidecar.adapters.postgres import Access
from ocw_sidecar.adapters.postgres.election import LEADER_STOPS_S, SERVER_NOTICES_S, TRY_S, PostgresElection
from tests.databases import running_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.postgres_server import PostgresServer

CANDIDATE = Path(__file__).with_name("postgres_candidate.py")
ACCOUNT, OTHER = b"a" * 32, b"b" * 32
PATIENCE_S = 60

END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'caregrid'"

#: From a leader's death to the next one's lead: a try, the pause, and a busy machine.
HANDOVER_S = TRY_S + LEADER_STOPS_S + 3.0


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that these tests may restart."""
    with running_server() as made:
        yield made


@dataclass
class Candidate:
    """A process that campaigns."""

    process: subprocess.Popen[str]

    def next(self, word: str) -> float:
        """Return when it next begins or ceases to lead; blocks."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said, _, at = line.partition(" ")
            if said in {"leads", "stops"}:  # not a line of the log
                assert word == said
                return float(at)
        raise AssertionError("the candidate has ended")


@pytest.fixture
async def candidates(server: PostgresServer) -> AsyncIterator[list[Candidate]]:
    """Two processes with one account; the first one leads."""
    started: list[Candidate] = []
    try:
        for _ in range(2):
            command = [sys.executable, str(CANDIDATE), server.url("postgres"), ACCOUNT.hex()]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220  takes a millisecond
            started.append(Candidate(process))
            if len(started) == 1:
                async with asyncio.timeout(PATIENCE_S):
                    await asyncio.to_thread(started[0].next, "leads")
        await asyncio.sleep(2)
        yield started
    finally:
        for each in started:
            each.process.kill()
            each.process.communicate()


async def test_killed_leader_is_replaced_within_seconds(candidates: list[Candidate]) -> None:
    """`kill -9` of the leader hands the lead over by itself."""
    first, second = candidates
    killed = time.monotonic()
    first.process.kill()
    led = await asyncio.to_thread(second.next, "leads")
    assert led - killed < HANDOVER_S


async def test_hanging_leader_is_replaced(candidates: list[Candidate]) -> None:
    """A leader that stands still loses the lead to the next one, and knows it when it wakes up."""
    first, second = candidates
    stopped = time.monotonic()
    first.process.send_signal(signal.SIGSTOP)
    led = await asyncio.to_thread(second.next, "leads")
    assert led - stopped < SERVER_NOTICES_S + HANDOVER_S
    first.process.send_signal(signal.SIGCONT)
    await asyncio.to_thread(first.next, "stops")


async def test_two_never_lead_at_once(server: PostgresServer, candidates: list[Candidate]) -> None:
    """The server ends the leader's session, again and again: each lead is over before the next one begins."""
    words: list[tuple[float, int, str]] = []
    readers = [asyncio.to_thread(listen, each, number, words) for number, each in enumerate(candidates)]
    async with asyncio.TaskGroup() as group:
        for reader in readers:
            group.create_task(reader)
        for _ in range(4):
            await asyncio.to_thread(server.run, END_SESSIONS)
            await asyncio.sleep(LEADER_STOPS_S + 1.5)
        for each in candidates:
            each.process.kill()
    leader: int | None = 0
    for _, number, word in sorted(words):
        assert (None if word == "leads" else number) == leader
        leader = number if word == "leads" else None
    assert len(words) >= 6


def listen(candidate: Candidate, number: int, words: list[tuple[float, int, str]]) -> None:
    """Note what a candidate says until it ends; blocks."""
    assert candidate.process.stdout is not None
    for line in candidate.process.stdout:
        said, _, at = line.partition(" ")
        if said in {"leads", "stops"}:
            words.append((float(at), number, said))


async def test_restarted_server_has_a_leader_again(server: PostgresServer) -> None:
    """A leader stops when the server goes away, and somebody leads again when it is back."""
    election = PostgresElection(Access(server.url("postgres")), ACCOUNT)
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        campaign = group.create_task(election.run())
        await election.wait_until(leads=True)
        await asyncio.to_thread(server.stop)
        await election.wait_until(leads=False)
        assert not election.leads
        await asyncio.to_thread(server.start)
        await election.wait_until(leads=True)
        campaign.cancel()
    assert not election.leads


async def test_accounts_have_leaders_of_their_own(server: PostgresServer) -> None:
    """Processes with different signing accounts do not wait for each other."""
    elections = [PostgresElection(Access(server.url("postgres")), account) for account in (ACCOUNT, OTHER)]
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        campaigns = [group.create_task(each.run()) for each in elections]
        for each in elections:
            await each.wait_until(leads=True)
        for campaign in campaigns:
            campaign.cancel()
