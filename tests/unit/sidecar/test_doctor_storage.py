"""What `doctor` says of the storage network and of endpoints that belong elsewhere."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from caregrid.chain.port import BlockRef
from caregrid.errors import (
    ChainUnreachable,
    ConfigInvalid,
    ProtocolViolation,
    StorageUnreachable,
    TerritoryUnusable,
)
from caregrid.storage import (
    MemoryObjectStore,
    NodeState,
    ObjectStat,
    Placement,
    Territory,
    TerritoryLimits,
    TerritoryState,
)
from ocw_sidecar.cli import doctor_chain, doctor_storage

if TYPE_CHECKING:
    from ocw_sidecar.cli.findings import Finding

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def store() -> MemoryObjectStore:
    """A sound one."""
    return MemoryObjectStore()


async def look(store: MemoryObjectStore) -> dict[str, Finding]:
    """Return the findings by name."""
    return {each.check: each for each in await doctor_storage.examine(store, TerritoryLimits(), NOW)}


async def test_a_sound_network_is_in_order(store: MemoryObjectStore) -> None:
    """It answers, twelve nodes live, and there is space and time."""
    found = await look(store)
    assert ["storage", "storage nodes", "territory"] == list(found)
    assert all(each.ok for each in found.values())
    assert "12 of 12 answer" == found["storage nodes"].detail
    assert "1024.0 of 1024.0 GiB left" in found["territory"].detail


async def test_nodes_that_do_not_answer_are_named(store: MemoryObjectStore) -> None:
    """With fewer than twelve nothing can be stored."""
    store.placement = Placement(needed=4, total=12, living=11, nodes=11)
    nodes = (await look(store))["storage nodes"]
    [dead] = [each.node for each in await store.nodes() or () if not each.living]
    assert not nodes.ok
    assert "11 storage nodes answer" in nodes.detail
    assert dead in nodes.detail


async def test_damage_that_nodes_found_is_told(
    store: MemoryObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no fault of the network yet, and there is a command for it."""
    nodes = await store.nodes() or ()

    async def scrubbed() -> tuple[NodeState, ...]:
        return tuple(replace(each, corrupt=2) for each in nodes)

    monkeypatch.setattr(store, "nodes", scrubbed)
    found = (await look(store))["storage nodes"]
    assert found.ok
    assert "24 fragments damaged, `caregrid storage repair`" in found.detail


@pytest.mark.parametrize(
    ("remaining", "days", "hint"),
    [(5, 100, "expand it"), (1 << 40, 3, "ends in 3 days"), (0, -1, "renew it")],
)
async def test_a_territory_that_runs_out_is_told(
    store: MemoryObjectStore, monkeypatch: pytest.MonkeyPatch, remaining: int, days: int, hint: str
) -> None:
    """Before it is too late, and what to do."""

    async def low() -> Territory:
        return Territory(
            name="caregrid",
            total=1 << 40,
            used=0,
            remaining=remaining,
            state=TerritoryState.ACTIVE,
            deadline=NOW + timedelta(days=days),
        )

    monkeypatch.setattr(store, "territory", low)
    territory = (await look(store))["territory"]
    assert not territory.ok
    assert hint in territory.detail


async def test_a_territory_that_is_missing_is_a_fault(
    store: MemoryObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be stored, and what to do is said."""

    async def missing() -> Territory:
        raise TerritoryUnusable

    monkeypatch.setattr(store, "territory", missing)
    territory = (await look(store))["territory"]
    assert not territory.ok
    assert "buy, renew or expand it" in territory.detail


@pytest.mark.parametrize("state", [TerritoryState.FROZEN, TerritoryState.EXPIRED])
async def test_a_territory_that_is_over_is_a_fault(
    store: MemoryObjectStore, monkeypatch: pytest.MonkeyPatch, state: TerritoryState
) -> None:
    """Whatever space is left in it."""

    async def over() -> Territory:
        return Territory(
            name="caregrid", total=1 << 50, used=0, remaining=1 << 50, state=state, deadline=None
        )

    monkeypatch.setattr(store, "territory", over)
    territory = (await look(store))["territory"]
    assert not territory.ok
    assert f"is {state}; nothing can be stored" in territory.detail


async def test_a_network_may_require_no_territory(
    store: MemoryObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one's own: it says so, and no number in its answer is a fault."""

    async def none_required() -> Territory:
        return Territory(
            name="caregrid",
            total=100,
            used=100,
            remaining=0,
            state=TerritoryState.ACTIVE,
            deadline=None,
            unlimited=True,
        )

    monkeypatch.setattr(store, "territory", none_required)
    territory = (await look(store))["territory"]
    assert (True, "caregrid: this network requires none") == (territory.ok, territory.detail)


async def test_a_network_that_tells_nothing_is_no_fault(
    store: MemoryObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stock DeOSS knows neither nodes nor territories."""

    async def nothing() -> None:
        return None

    monkeypatch.setattr(store, "nodes", nothing)
    monkeypatch.setattr(store, "territory", nothing)
    found = await look(store)
    assert all(each.ok for each in found.values())
    assert all("does not tell" in found[name].detail for name in ("storage nodes", "territory"))


async def test_a_gateway_that_hangs_is_not_waited_for(
    store: MemoryObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question has its deadline."""

    async def hang(_object_id: bytes) -> ObjectStat:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(doctor_storage, "STORAGE_TIMEOUT_S", 0.01)
    monkeypatch.setattr(store, "stat", hang)
    monkeypatch.setattr(store, "nodes", lambda: hang(bytes(32)))
    assert "no answer within" in (await look(store))["storage"].detail


async def test_one_gateway_of_several_is_enough(
    store: MemoryObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one of them down nobody can say that an object is unknown, and storage works all the same."""

    async def unreachable(_object_id: bytes) -> ObjectStat:
        raise StorageUnreachable

    monkeypatch.setattr(store, "stat", unreachable)
    found = (await look(store))["storage"]
    assert (True, "some of the gateways answer") == (found.ok, found.detail)


async def test_each_gateway_is_looked_at(store: MemoryObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is down and one that is no gateway are told by name; nothing secret of a URL is shown."""
    down, other = MemoryObjectStore(), MemoryObjectStore()

    async def unreachable(_object_id: bytes) -> ObjectStat:
        raise StorageUnreachable

    async def html(_object_id: bytes) -> ObjectStat:
        raise ProtocolViolation("the storage gateway answered with status 404; check its URL")

    monkeypatch.setattr(down, "stat", unreachable)
    monkeypatch.setattr(other, "stat", html)
    found = await doctor_storage.gateways(
        {"https://one.example/": store, "https://two.example/k3y": down, "https://u:p@three.example": other}
    )
    assert [
        ("gateway https://one.example", True),
        ("gateway https://two.example", False),
        ("gateway https://three.example", False),
    ] == [(each.check, each.ok) for each in found]
    assert "check its URL" in found[2].detail


async def test_a_gateway_of_another_network_is_named(
    store: MemoryObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one stored, the other would not find."""
    foreign, same = MemoryObjectStore(), MemoryObjectStore()
    nodes = await store.nodes() or ()

    async def others() -> tuple[NodeState, ...]:
        return tuple(replace(each, node=f"other-{each.node}") for each in nodes)

    monkeypatch.setattr(foreign, "nodes", others)
    found = await doctor_storage.gateways({"https://a": store, "https://b": same, "https://c": foreign})
    assert [True, True, False] == [each.ok for each in found]
    assert "https://c leads to another storage network than https://a" in found[2].detail


class Endpoints:
    """Stands in for the chain: what is block 0 at each URL; None does not answer."""

    def __init__(self, **genesis: bytes | None) -> None:
        self._genesis = {f"wss://{name}.example/k3y": value for name, value in genesis.items()}
        self.urls = list(self._genesis)

    def __call__(self, urls: list[str]) -> Endpoints:
        """Open one of them."""
        [self.url] = urls
        return self

    async def block(self, number: int) -> BlockRef:
        """Return block 0 of the one that is open."""
        value = self._genesis[self.url]
        if value is None:
            raise ChainUnreachable
        return BlockRef(number=number, hash=value)

    async def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("followed", [None, b"\x01" * 32])
async def test_an_endpoint_of_another_chain_is_named(
    monkeypatch: pytest.MonkeyPatch, followed: bytes | None
) -> None:
    """It never serves, but whoever configured it believes that it does."""
    chain = Endpoints(one=b"\x01" * 32, two=b"\x02" * 32, three=b"\x01" * 32)
    monkeypatch.setattr(doctor_chain, "SubstrateChain", chain)
    with pytest.raises(ConfigInvalid, match=r"never used: wss://two\.example; take"):
        await doctor_chain.endpoints(chain.urls, followed)


async def test_the_first_endpoint_may_be_the_foreign_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was followed before decides."""
    chain = Endpoints(one=b"\x02" * 32, two=b"\x01" * 32)
    monkeypatch.setattr(doctor_chain, "SubstrateChain", chain)
    with pytest.raises(ConfigInvalid, match=r"never used: wss://one\.example; take"):
        await doctor_chain.endpoints(chain.urls, b"\x01" * 32)


async def test_an_endpoint_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others do, so nothing else tells of it; a list that is sound is said to be."""
    chain = Endpoints(one=None, two=b"\x01" * 32)
    monkeypatch.setattr(doctor_chain, "SubstrateChain", chain)
    with pytest.raises(ChainUnreachable, match=r"does not answer: wss://one\.example;"):
        await doctor_chain.endpoints(chain.urls)
    assert "1 of the same chain" == await doctor_chain.endpoints(chain.urls[1:])
