"""Which objects `--all` goes over, for a sidecar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from caregrid.errors import ConfigInvalid
from caregrid.storage import MemoryObjectStore
from ocw_sidecar.adapters.sql.ledger_fold import SQL
from ocw_sidecar.cli.storage_opening import Opened
from ocw_sidecar.settings import Settings
from ocw_sidecar.testing import ORGANISATION
from tests.unit.sidecar.worker_world import working

if TYPE_CHECKING:
    from pathlib import Path

LAST = b"\xff" * 32


async def test_a_sidecar_that_was_never_started_knows_no_objects(tmp_path: Path) -> None:
    """That is said, not taken for a network where all is well; and no database is made by asking."""
    home = tmp_path / "home"
    settings = Settings.load(home=home, organisation="0x" + ORGANISATION.hex())
    opened = Opened(store=MemoryObjectStore(), settings=settings)
    with pytest.raises(ConfigInvalid, match="no sidecar has followed"):
        await anext(opened.objects())
    assert not home.exists()
    async with working(tmp_path) as sidecar:
        opened = Opened(store=sidecar.world.store, settings=sidecar.rig.bench.settings)
        with pytest.raises(ConfigInvalid, match="no sidecar has followed"):
            await anext(opened.objects())


async def test_a_sidecars_objects_are_those_that_it_follows_on_the_chain(tmp_path: Path) -> None:
    """Whoever stored them: each once, in the order of their ids, to the very last id there can be."""
    async with working(tmp_path) as sidecar:
        for content in (b"one", b"two", b"three"):
            await sidecar.store(content)
        await sidecar.rig.database.write(
            lambda db: db.execute(SQL["put_object"], {"object": LAST, "height": 1}).rowcount
        )
        known = await sidecar.parts.desk.ledger.longest_unlooked(10)
        opened = Opened(store=sidecar.world.store, settings=sidecar.rig.bench.settings)
        found = [object_id async for object_id in opened.objects()]
    assert sorted(each.object_id for each in known) == found
    assert (4, LAST) == (len(found), found[-1])
