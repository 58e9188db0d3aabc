"""Which block is read: the last finalized one of a node that can be relied on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from caregrid.cess import json_rpc
from caregrid.cess.deadlines import (
    ANCESTOR_TIMEOUT_S,
    GENESIS_TIMEOUT_S,
    HEAD_TIMEOUT_S,
    HEADER_TIMEOUT_S,
    HEALTH_TIMEOUT_S,
    TIME_TIMEOUT_S,
    VERSION_TIMEOUT_S,
)
from caregrid.cess.faults import Behind, Forked, RuntimeUnknown, StateUnreadable
from caregrid.cess.keys import item_key
from caregrid.chain.faults import AnswerGarbled, ForeignChain

if TYPE_CHECKING:
    from collections.abc import Callable

    from caregrid.cess.links import Link

#: The runtime's name.
SPEC_NAME: Final = "cess-node"
#: From this runtime on, state is laid out as it is read here.
OLDEST_SPEC: Final = 126
#: A node whose finalized head is further below the highest seen is not asked; gateways use the same bound.
MAX_LAG_BLOCKS: Final = 5
#: Finalized heads that are remembered, so that a node on another branch is noticed.
REMEMBERED_HEADS: Final = 64

_TIME_KEY: Final = item_key("Timestamp", "Now")
_TIME_LEN: Final = 8
_NEVER: Final = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class CessHead:
    """The finalized block that an answer is of."""

    number: int
    hash: bytes
    time: datetime  #: aware UTC, as its author said
    spec_version: int  #: of the runtime in its state


class Heads:
    """Finds heads and compares them with earlier ones."""

    def __init__(self, genesis: bytes | None, *, max_age: timedelta, now: Callable[[], datetime]) -> None:
        """Remember block 0's hash; None takes that of the first node that is fit to serve."""
        self._genesis, self._max_age, self._now = genesis, max_age, now
        self._seen: deque[tuple[int, bytes]] = deque(maxlen=REMEMBERED_HEADS)

    async def head(self, link: Link) -> CessHead:
        """Return a node's last finalized block.

        Raises:
            ForeignChain: the node is of another chain.
            OSError: it is not synchronised, on another branch, does not answer, or answers nonsense.
        """
        if link.genesis is None:
            link.genesis = await _greeted(link)
        self._require_ours(link.genesis)
        block = json_rpc.block_hash(await link.ask("chain_getFinalizedHead", timeout_s=HEAD_TIMEOUT_S))
        number = json_rpc.block_number(
            await link.ask("chain_getHeader", json_rpc.to_hex(block), timeout_s=HEADER_TIMEOUT_S)
        )
        await self._compare(link, number, block)
        version = await _spec_version(link, block)
        head = CessHead(number=number, hash=block, time=await self._time(link, block), spec_version=version)
        # Another node may have decided meanwhile which chain it is.
        self._require_ours(link.genesis)
        self._genesis = link.genesis
        self._remember(number, block)
        return head

    def _require_ours(self, genesis: bytes) -> None:
        if self._genesis not in {None, genesis}:
            raise ForeignChain

    async def _compare(self, link: Link, number: int, block: bytes) -> None:
        if number < max((seen for seen, _ in self._seen), default=_NEVER) - MAX_LAG_BLOCKS:
            raise Behind
        known = max((each for each in self._seen if each[0] <= number), default=None)
        if known is not None and known[1] != await _ancestor(link, known[0], number, block):
            raise Forked

    async def _time(self, link: Link, block: bytes) -> datetime:
        answer = await link.ask(
            "state_getStorage", json_rpc.to_hex(_TIME_KEY), json_rpc.to_hex(block), timeout_s=TIME_TIMEOUT_S
        )
        # Only block 0 has no time: this node has none of the others yet.
        if answer is None:
            raise Behind
        time = _time_of(json_rpc.from_hex(answer))
        if self._now() - time > self._max_age:
            raise Behind
        return time

    def _remember(self, number: int, block: bytes) -> None:
        if number > max((seen for seen, _ in self._seen), default=_NEVER):
            self._seen.append((number, block))


async def _greeted(link: Link) -> bytes:
    health = await link.ask("system_health", timeout_s=HEALTH_TIMEOUT_S)
    if not isinstance(health, dict):
        raise AnswerGarbled
    # A node without a peer where it should have some will not notice that it falls behind.
    alone = health.get("shouldHavePeers") is not False and health.get("peers") == 0
    if health.get("isSyncing") is not False or alone:
        raise Behind
    return json_rpc.block_hash(await link.ask("chain_getBlockHash", 0, timeout_s=GENESIS_TIMEOUT_S))


async def _ancestor(link: Link, number: int, head: int, block: bytes) -> bytes:
    if number == head:
        return block
    return json_rpc.block_hash(await link.ask("chain_getBlockHash", number, timeout_s=ANCESTOR_TIMEOUT_S))


async def _spec_version(link: Link, block: bytes) -> int:
    answer: Any = await link.ask(
        "state_getRuntimeVersion", json_rpc.to_hex(block), timeout_s=VERSION_TIMEOUT_S
    )
    version = answer.get("specVersion") if isinstance(answer, dict) else None
    if not isinstance(version, int):
        raise AnswerGarbled
    if answer.get("specName") != SPEC_NAME:
        raise ForeignChain
    if version < OLDEST_SPEC:
        raise RuntimeUnknown
    return version


def _time_of(data: bytes) -> datetime:
    if len(data) != _TIME_LEN:
        raise StateUnreadable
    try:
        return datetime.fromtimestamp(int.from_bytes(data, "little") / 1000, UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise StateUnreadable from exc
