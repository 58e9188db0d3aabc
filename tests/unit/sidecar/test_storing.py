"""Uploading goes on while one of several gateways is down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caregrid.errors import StorageUnreachable
from tests.stored import stored_records
from tests.unit.sidecar.worker_world import working

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from caregrid.storage import ObjectStat, Progress, Source


async def test_a_second_attempt_needs_no_word_of_every_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That an object is unknown, every gateway has to say; one that is down must not stop the upload."""
    async with working(tmp_path) as sidecar:
        store = sidecar.world.store
        puts, put = 0, store.put

        async def second_time(source: Source, *, progress: Progress | None = None) -> bytes:
            nonlocal puts
            puts += 1
            if puts == 1:
                raise StorageUnreachable
            return await put(source, progress=progress)

        async def untold(_object_id: bytes) -> ObjectStat | None:
            raise StorageUnreachable

        monkeypatch.setattr(store, "put", second_time)
        monkeypatch.setattr(store, "stat", untold)
        await sidecar.submit(b"one")
        await sidecar.rig.drain()
        assert [] == await stored_records(sidecar.world.chain, 0)
        sidecar.time.pass_by(120)
        await sidecar.rig.drain()
        assert 1 == len(await stored_records(sidecar.world.chain, 0))
        assert 2 == puts
