"""`caregrid keys reveal --config`: the custodian takes a record's data key from his own key store."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

import pytest

from caregrid.errors import NotFound, WrongKey
from caregrid.keys import MemoryKeyStore
from caregrid.sealed import open_sealed
from ocw_sidecar.adapters.opening import QUEUE_FILE
from ocw_sidecar.cli import keys_reveal
from tests.unit.sidecar.api.calls import OBSERVATION, confirmed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ocw_sidecar.ports import Ports
    from ocw_sidecar.settings import Settings
    from ocw_sidecar.testing import Rig
    from tests.unit.sidecar.api.calls import Client


@pytest.fixture(autouse=True)
def ports(sidecar: Rig, monkeypatch: pytest.MonkeyPatch) -> Ports:
    """The sidecar's own ports, in place of those that key files on disk would open."""

    @asynccontextmanager
    async def opened(_: Settings) -> AsyncIterator[Ports]:
        yield sidecar.bench.ports

    monkeypatch.setattr(keys_reveal, "real_ports", opened)
    return sidecar.bench.ports


def releases(home: Path) -> list[tuple[bytes, bytes, str]]:
    """Return the log of releases, read past the queue."""
    with closing(sqlite3.connect(home / QUEUE_FILE)) as database:
        return list(database.execute("SELECT record, account, ground FROM key_releases"))


async def test_the_key_opens_the_record_and_is_on_record(
    client: Client, sidecar: Rig, settings: Settings, ports: Ports
) -> None:
    """Beside the running sidecar; an auditor finds that its operator took the key."""
    record_id = bytes.fromhex(await confirmed(client, sidecar))
    data_key = await keys_reveal.custodians_key(settings, record_id)
    place = await sidecar.world.chain.record(record_id)
    assert place is not None
    sealed = await sidecar.world.store.read_range(place.object_id, place.offset, place.length)
    assert OBSERVATION == open_sealed(data_key, record_id, sealed)
    found = await asyncio.to_thread(releases, settings.home)
    assert [(record_id, ports.submitter.account, "own")] == found


async def test_a_record_that_is_not_his(settings: Settings) -> None:
    """There is no key to show, and nothing is noted."""
    with pytest.raises(NotFound, match="keeps no key"):
        await keys_reveal.custodians_key(settings, secrets.token_bytes(16))
    assert [] == await asyncio.to_thread(releases, settings.home)


async def test_another_key_store(
    client: Client, sidecar: Rig, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key store that did not wrap the key cannot show it, and nothing is noted."""
    record_id = bytes.fromhex(await confirmed(client, sidecar))
    monkeypatch.setattr(sidecar.bench.ports.key_store, "unwrap", MemoryKeyStore().unwrap)
    with pytest.raises(WrongKey):
        await keys_reveal.custodians_key(settings, record_id)
    assert [] == await asyncio.to_thread(releases, settings.home)
