"""What `doctor` looks at on the storage network."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from yarl import URL

from caregrid.errors import ConfigInvalid, StorageUnreachable, TerritoryUnusable
from caregrid.records import OBJECT_ID_LEN
from caregrid.storage.health import WANTED_NODES
from ocw_sidecar.cli.findings import Finding, find

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence
    from datetime import datetime

    from caregrid.storage import NodeState, ObjectStore, TerritoryLimits

T = TypeVar("T")

#: A gateway asks twelve storage nodes and answers within seconds; who waits for `doctor` waits no longer.
STORAGE_TIMEOUT_S: Final = 20.0

_GIB: Final = 1024**3


async def examine(store: ObjectStore, limits: TerritoryLimits, now: datetime) -> list[Finding]:
    """Look whether storage can be reached, and what will keep objects from being stored."""
    return [
        await find("storage", _reachable(store)),
        await find("storage nodes", _nodes(store)),
        await find("territory", _territory(store, limits, now)),
    ]


async def gateways(stores: Mapping[str, ObjectStore]) -> list[Finding]:
    """Look at each gateway by itself, the preferred one first: it answers, and is of the same network."""
    return [await find(f"gateway {shown(url)}", _gateway(url, stores)) for url in stores]


def shown(url: str) -> str:
    """Return what of a URL may be shown: no path, which can hold a key, and no credentials."""
    parsed = URL(url)
    return str(parsed.origin()) if parsed.host else "without a host"


async def _reachable(store: ObjectStore) -> str:
    try:
        await _in_time(store.stat(bytes(OBJECT_ID_LEN)))
    except StorageUnreachable:
        # That an object is unknown, every gateway has to say; the nodes, any of them can tell.
        await _in_time(store.nodes())
        return "some of the gateways answer"
    return "the gateway answers"


async def _gateway(url: str, stores: Mapping[str, ObjectStore]) -> str:
    await _in_time(stores[url].stat(bytes(OBJECT_ID_LEN)))
    own = _names(await _in_time(stores[url].nodes()))
    first = next(iter(stores))
    if own and url != first:
        theirs = _names(await _in_time(stores[first].nodes()))
        if theirs and own.isdisjoint(theirs):
            raise ConfigInvalid(
                f"{shown(url)} leads to another storage network than {shown(first)}; remove one of them"
            )
    return "answers"


def _names(nodes: Sequence[NodeState] | None) -> set[str]:
    return {each.node for each in nodes or ()}


async def _nodes(store: ObjectStore) -> str:
    nodes = await _in_time(store.nodes())
    if nodes is None:
        return "this network does not tell of its storage nodes"
    dead = [each.node for each in nodes if not each.living]
    living = len(nodes) - len(dead)
    if living < WANTED_NODES:
        named = f"; do not answer: {', '.join(sorted(dead))}" if dead else ""
        raise StorageUnreachable(
            f"{living} storage nodes answer, an object needs {WANTED_NODES}: start or replace some{named}"
        )
    corrupt = sum(each.corrupt or 0 for each in nodes)
    damaged = f"; {corrupt} fragments damaged, `caregrid storage repair` rebuilds them" if corrupt else ""
    return f"{living} of {len(nodes)} answer{damaged}"


async def _territory(store: ObjectStore, limits: TerritoryLimits, now: datetime) -> str:
    territory = await _in_time(store.territory())
    if territory is None:
        return "this network does not tell of territories"
    if territory.unlimited:
        return f"{territory.name}: this network requires none"
    warnings = territory.warnings(now, limits)
    if warnings:
        raise TerritoryUnusable("; ".join(each.message for each in warnings))
    end = "without an end" if territory.deadline is None else f"until {territory.deadline:%Y-%m-%d}"
    space = f"{territory.remaining / _GIB:.1f} of {territory.total / _GIB:.1f} GiB left"
    return f"{territory.name}: {space}, {end}"


async def _in_time(asked: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(STORAGE_TIMEOUT_S):
            return await asked
    except TimeoutError as exc:
        raise StorageUnreachable(f"there was no answer within {STORAGE_TIMEOUT_S:.0f} seconds") from exc
