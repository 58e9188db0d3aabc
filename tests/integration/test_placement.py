"""What the local storage network tells of where an object's fragments are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sr25519

from caregrid.storage import DeossStore, Placement
from storage_network import LocalNetwork

if TYPE_CHECKING:
    from pathlib import Path

PAIR = sr25519.pair_from_seed(b"\x01" * 32)


async def test_living_fragments_are_counted(tmp_path: Path) -> None:
    """All twelve at first; without three nodes, and without a fragment that a fourth has lost, eight."""
    source = tmp_path / "source"
    source.write_bytes(b"sealed" * 1000)
    with LocalNetwork(tmp_path / "network") as network:
        store = DeossStore(network.gateway_url, PAIR[0], lambda message: sr25519.sign(PAIR, message))
        try:
            object_id = await store.put(source)
            stat = await store.stat(object_id)
            assert stat is not None
            assert Placement(needed=4, total=12, living=12, nodes=12) == stat.placement
            for number in (1, 5, 9):
                network.kill_node(number)
            [lost] = (network.node_folder(3) / "fragments").iterdir()
            lost.unlink()
            stat = await store.stat(object_id)
            assert stat is not None
            assert Placement(needed=4, total=12, living=8, nodes=8) == stat.placement
            assert await store.stat(bytes(32)) is None
        finally:
            await store.close()
