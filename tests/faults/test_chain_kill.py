"""A node, and a submitter's process, killed in the middle of submissions."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from caregrid.chain import Receipt, SubstrateChain, calls
from caregrid.keys import Identity
from tests.faults.private_node import private_node, url_of
from tests.faults.remarks import digest, funded, remark, said, submitter
from tests.faults.submitting_process import SENT, batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.node_process import Node

ROOT: Final = Path(__file__).resolve().parents[2]


@pytest.fixture
def own_node(node_program: Path, tmp_path: Path) -> Iterator[Node]:
    """A node that may be killed: it builds and finalizes blocks alone, and keeps its database."""
    with private_node(node_program, tmp_path) as node:
        yield node


async def test_a_killed_node_loses_no_call(own_node: Node) -> None:
    """Its pool is gone; when it is back, what was in it is sent again, and each call happens once."""
    url = url_of(own_node)
    [who] = await asyncio.to_thread(funded, url, 1)
    own = submitter(who, url)
    early, late = [remark() for _ in range(20)], [remark() for _ in range(5)]
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(own.submit_many(early))
        while own._nonce is None or own._nonce < len(early):  # noqa: ASYNC110 - a look from outside
            await asyncio.sleep(0.01)
        await asyncio.to_thread(own_node.kill)
        await asyncio.to_thread(own_node.start)
        await asyncio.to_thread(own_node.wait_ready)
        results = await waiting
        results += await own.submit_many(late)
    await own.close()
    assert [] == [result for result in results if not isinstance(result, Receipt)]
    happened = await said(url, who.account)
    assert sorted(map(digest, early + late)) == sorted(happened)


async def test_a_killed_submitter_does_nothing_twice(node_url: str) -> None:
    """It had sent and heard nothing; its successor looks first, and what it sends all the same is refused."""
    [hospital] = await asyncio.to_thread(funded, node_url, 1)
    own, patient = submitter(hospital, node_url), secrets.token_bytes(32)
    await own.submit_many(
        [calls.register_organisation([]), calls.register_patient(hospital.account, patient)]
    )
    uri = "//" + secrets.token_hex(16)
    operator = Identity.from_uri(uri)
    await own.submit_many([calls.transfer(operator.account, 10**13), calls.set_operators([operator.account])])
    await own.close()
    record_ids = [secrets.token_bytes(16) for _ in range(4)]
    intent = {"organisation": hospital.account, "patient": patient, "object_id": secrets.token_bytes(32)}
    await asyncio.to_thread(_send_and_die, node_url, uri, intent, record_ids)

    chain, successor = SubstrateChain([node_url]), submitter(operator, node_url)
    start = (await chain.finalized_head()).number
    there = await chain.records(record_ids)
    missing = [one for one in record_ids if one not in there]
    if missing:
        outcome = await successor.submit(batch(**intent, record_ids=missing))
        assert set(missing) == {
            event.fields["record"] for event in outcome.events if "record" in event.fields
        }
    stored: list[bytes] = []
    last = (await chain.finalized_head()).number
    async for block in chain.finalized_blocks(max(1, start - 10)):
        stored += [event.fields["record"] for event in block.events if event.name == "RecordStored"]
        if block.ref.number >= last:
            break
    await successor.close()
    await chain.close()
    assert sorted(record_ids) == sorted(one for one in stored if one in record_ids)


def _send_and_die(url: str, uri: str, intent: dict[str, bytes], record_ids: list[bytes]) -> None:
    described: dict[str, Any] = {name: value.hex() for name, value in intent.items()}
    described["record_ids"] = [one.hex() for one in record_ids]
    command = [sys.executable, "-m", "tests.faults.submitting_process", url, uri, json.dumps(described)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert SENT == process.stdout.readline().strip()
        process.kill()
