"""The chain adapter under faults: cut connections, dead endpoints, foreign nonces, another chain."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from caregrid.chain import SubstrateChain, SubstrateSubmitter, calls, flights
from caregrid.errors import CallRejected, ChainUnreachable, ConfigInvalid
from caregrid.keys import Identity

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ALICE = Identity.from_uri("//Alice//stash")
#: Port 9 (discard) is reserved: nobody listens there.
DEAD = "ws://127.0.0.1:9"


class CuttingProxy:
    """Forwards to a node; when armed, it passes one more message on and then cuts the connection."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self.armed = False
        self.cuts = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Listen on a free port and yield the URL."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pass_on(reader, up_writer, cutting=True))
            group.create_task(self._pass_on(up_reader, writer, cutting=False))

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, cutting: bool
    ) -> None:
        while chunk := await reader.read(1 << 20):
            writer.write(chunk)
            await writer.drain()
            if cutting and self.armed:
                self.armed, self.cuts = False, self.cuts + 1
                await asyncio.sleep(0.2)
                reader.feed_eof()
                break
        writer.close()


def submitter(*urls: str, identity: Identity = ALICE) -> SubstrateSubmitter:
    """Return a submitter for one account."""
    return SubstrateSubmitter(urls, account=identity.account, sign=identity.sign)


async def organisation(url: str) -> Identity:
    """Return a funded account that is an organisation."""
    made, funder = Identity.generate(), submitter(url)
    await funder.submit(calls.transfer(made.account, 10**15))
    await funder.close()
    own = submitter(url, identity=made)
    await own.submit(calls.register_organisation([]))
    await own.close()
    return made


async def test_a_connection_cut_after_sending_does_nothing_twice(
    node_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is lost, the call is not: it is found in a finalized block, and is not signed again."""
    proxy, hospital = CuttingProxy(node_url), await organisation(node_url)
    patient, sent = secrets.token_bytes(32), []
    offer = flights.offer

    def send_and_lose_the_answer(client: Any, raw: bytes) -> None:
        sent.append(raw)
        proxy.armed = True
        offer(client, raw)

    monkeypatch.setattr(flights, "offer", send_and_lose_the_answer)
    async with proxy.listening() as url:
        cut = submitter(url, identity=hospital)
        receipt = await cut.submit(calls.register_patient(hospital.account, patient))
        await cut.close()
    assert 1 <= proxy.cuts
    assert 1 == len(set(sent))
    registered = [event for event in receipt.events if event.name == "PatientRegistered"]
    assert [patient] == [event.fields["patient"] for event in registered]


async def test_a_dead_endpoint_is_passed_over(node_url: str) -> None:
    """The next one in the list serves."""
    chain = SubstrateChain([DEAD, node_url])
    assert (await chain.finalized_head()).number >= 0
    await chain.close()


async def test_no_endpoint_at_all() -> None:
    """Typed, and it names what was tried."""
    chain = SubstrateChain([DEAD])
    with pytest.raises(ChainUnreachable, match=r"127\.0\.0\.1:9"):
        await chain.finalized_head()
    await chain.close()
    with pytest.raises(ConfigInvalid):
        SubstrateChain([])


async def test_another_chain_is_refused(node_url: str) -> None:
    """An endpoint with another genesis block is never used."""
    chain = SubstrateChain([node_url], genesis=bytes(32))
    with pytest.raises(ConfigInvalid):
        await chain.finalized_head()
    await chain.close()


async def test_a_foreign_nonce_is_noticed(node_url: str) -> None:
    """When another process signs with the same key, the count is taken anew and both calls get through."""
    hospital = await organisation(node_url)
    first, second = submitter(node_url, identity=hospital), submitter(node_url, identity=hospital)
    patients = [secrets.token_bytes(32) for _ in range(3)]
    for who, patient in zip((first, second, first), patients, strict=True):
        await who.submit(calls.register_patient(hospital.account, patient))
    chain = SubstrateChain([node_url])
    assert all([await chain.patient(patient) is not None for patient in patients])
    for each in (first, second, chain):
        await each.close()


async def test_an_account_without_tokens_is_told_so(node_url: str) -> None:
    """The pool's refusal is typed and says what to do."""
    poor = submitter(node_url, identity=Identity.generate())
    with pytest.raises(CallRejected, match="transfer tokens"):
        await poor.submit(calls.register_organisation([]))
    await poor.close()


async def test_an_inner_call_that_fails_is_a_failure(node_url: str) -> None:
    """`batch` reports success though its second call failed; the result says otherwise."""
    hospital = await organisation(node_url)
    own, patient = submitter(node_url, identity=hospital), secrets.token_bytes(32)
    register = calls.register_patient(hospital.account, patient)
    batch = calls.batch_all([register, register])
    forgiving = type(batch)(pallet="Utility", function="batch", params=batch.params)
    with pytest.raises(CallRejected, match="PatientExists"):
        await own.submit(forgiving)
    with pytest.raises(CallRejected, match="PatientExists"):
        await own.submit(batch)
    await own.close()


async def test_many_clients_live_in_one_process(node_url: str) -> None:
    """Clients that are set up, used and closed at the same time do not disturb each other's decoding."""
    hospital = await organisation(node_url)

    async def look() -> bool:
        chain = SubstrateChain([node_url])
        try:
            found = [await chain.organisation(hospital.account) for _ in range(10)]
            return all(each is not None and each.account == hospital.account for each in found)
        finally:
            await chain.close()

    for _ in range(2):
        async with asyncio.TaskGroup() as group:
            looks = [group.create_task(look()) for _ in range(4)]
        assert all(task.result() for task in looks)
