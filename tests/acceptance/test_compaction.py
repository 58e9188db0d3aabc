"""What is erased leaves storage, and a record gets another data key, on the real node and storage network."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.chain import calls
from caregrid.client import EmrClient
from caregrid.errors import CaregridError, ObjectUnknown, SealBroken
from caregrid.sealed import open_sealed
from tests.acceptance.conftest import confirmed, write_json
from tests.command_line import caregrid

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from tests.acceptance.conftest import Network

#: Some blocks, on a busy machine.
SETTLE_TIMEOUT_S = 60.0
BLOCK_S = 1.0
#: More than half of it erased is worth an upload by the default settings.
ENTRY_SIZE = 1_200_000


def compact(network: Network) -> dict[str, Any]:
    """Have the running sidecar compact once."""
    config = network.devnet.layout.sidecar_config
    answer = caregrid("sidecar", "run-once", "compaction", "--config", config, "--json")
    assert 0 == answer.exit_code, answer.stderr
    assert (True, None) == (answer.json["by_daemon"], answer.json["reason"])
    return dict(answer.json["items"])


def records_of_one_pack(network: Network, folder: Path) -> Sequence[str]:
    """Submit a Bundle of three large resources; return their records' ids."""
    entries = [
        {
            "fullUrl": f"http://example.org/fhir/Binary/b{number}",
            "resource": {
                "resourceType": "Binary",
                "id": f"b{number}",
                "contentType": "application/octet-stream",
                "data": base64.b64encode(random.Random(number).randbytes(ENTRY_SIZE)).decode(),  # noqa: S311
            },
        }
        for number in range(3)
    ]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    return confirmed(network.submit(write_json(folder / "bundle.json", bundle)))


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds, with a look in each block."""
    async with asyncio.timeout(SETTLE_TIMEOUT_S):
        while not await holds():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(BLOCK_S)


async def test_erased_bytes_leave_storage(network: Network, tmp_path: Path) -> None:
    """The record that stands is read as before, from a new object; the old one is gone from the network."""
    ids = [bytes.fromhex(each) for each in records_of_one_pack(network, tmp_path)]
    async with await EmrClient.from_profile(network.clinic) as clinic:
        before = await clinic.record(ids[0])
        assert {before.object_id} == {(await clinic.record(each)).object_id for each in ids}
        original = await clinic.get(ids[0])
        for each in ids[1:]:
            await clinic.submitter.submit(calls.erase_record(clinic.organisation, each))

        async def moved() -> bool:
            await asyncio.to_thread(compact, network)
            return (await clinic.record(ids[0])).object_id != before.object_id

        await until(moved)
        assert original == await clinic.get(ids[0])
        after = await clinic.record(ids[0])
        assert (before.digest, before.length, 0) == (after.digest, after.length, after.offset)

        async def gone() -> bool:
            return await clinic.store.stat(before.object_id) is None

        await until(gone)
        assert await clinic.chain.stored_object(before.object_id) is None
        with pytest.raises(ObjectUnknown):
            await clinic.store.read_range(before.object_id, before.offset, before.length)
        assert original == await clinic.get(ids[0])


async def test_a_record_gets_another_data_key(network: Network, observation: Path) -> None:
    """The old key opens nothing that is stored; who holds a grant reads on, with the new one."""
    [text] = confirmed(network.submit(observation))
    record_id = bytes.fromhex(text)
    async with (
        await EmrClient.from_profile(network.clinic) as clinic,
        await EmrClient.from_profile(network.reader) as reader,
    ):
        await clinic.grant(record_id, reader.identity.account)
        original, old = await clinic.get(record_id), await clinic.reveal_data_key(record_id)
        before = await clinic.record(record_id)
        asked = await asyncio.to_thread(network.run, "emr", "reseal", text, "--json")
        assert (0, "waiting") == (asked.exit_code, asked.json["state"]), asked.stderr

        async def moved() -> bool:
            await asyncio.to_thread(compact, network)
            return (await clinic.record(record_id)).digest != before.digest

        await until(moved)

        async def readable() -> bool:
            try:
                return original == await reader.get(record_id)
            except CaregridError:
                return False

        await until(readable)
        after = await clinic.record(record_id)
        sealed = await clinic.store.read_range(after.object_id, after.offset, after.length)
        with pytest.raises(SealBroken):
            open_sealed(old, record_id, sealed)
        assert original == open_sealed(await clinic.reveal_data_key(record_id), record_id, sealed)
        done = await clinic.wait_resealed(record_id, timeout_s=SETTLE_TIMEOUT_S)
        assert done.done_at is not None


def test_a_pause_holds_compaction(network: Network) -> None:
    """As every other worker's."""
    config = network.devnet.layout.sidecar_config
    for verb in ("pause", "resume"):
        assert 0 == caregrid("sidecar", verb, "compaction", "--config", config).exit_code
    status = json.loads(caregrid("sidecar", "status", "--config", config, "--json").stdout)
    assert "compaction" in [each["worker"] for each in status["workers"]]
