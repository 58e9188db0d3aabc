"""A storage node that stalls within a fragment."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

from caregrid.storage import file_id_of
from storage_network.gateway.node_client import WRITE_TIMEOUT_S
from tests.faults.storage_world import MIB, client, content_of, gateway, in_its_place, metric, running

STALLING = Path(__file__).with_name("stalling_node.py")
CONTENT = content_of(31, 64 * MIB)
FID = file_id_of(CONTENT)


async def test_a_node_that_stalls_within_a_write_holds_up_nothing(tmp_path: Path) -> None:
    """It seems to have most room of all, so both segments go there first; another node gets each instead."""
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    with running(tmp_path / "network", nodes=13) as network:
        await asyncio.to_thread(network.kill_node, 4)
        with in_its_place(STALLING, network.node_urls[4]):
            async with client(network) as store, gateway(network) as session:
                begun = time.monotonic()
                assert await store.put(source) == FID
                assert time.monotonic() - begun < 2 * WRITE_TIMEOUT_S
                assert await metric(session, 'caregrid_gateway_node_up{node="node-04"}') == 1
                found = await store.fragments(FID)
                assert found is not None
                for segment in found:
                    assert all(each.living for each in segment.fragments)
                    assert 12 == len({each.node for each in segment.fragments} - {"node-04"})
                assert await store.download(FID, tmp_path / "target") == len(CONTENT)
    shutil.rmtree(tmp_path / "network")
