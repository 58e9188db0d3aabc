"""Values of the chain's state at one block, as one node tells them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from caregrid.cess import audits, files, json_rpc, territories
from caregrid.cess import miners as mining
from caregrid.cess.deadlines import (
    AUDIT_TIMEOUT_S,
    DEAL_TIMEOUT_S,
    FILE_TIMEOUT_S,
    HELD_TIMEOUT_S,
    MINER_TIMEOUT_S,
    MINERS_PAGE,
    MINERS_TIMEOUT_S,
    OPERATORS_TIMEOUT_S,
    RESTORAL_TIMEOUT_S,
    TERRITORY_TIMEOUT_S,
)
from caregrid.cess.faults import StateUnreadable
from caregrid.cess.keys import account_part, hash_part, map_key, territory_part
from caregrid.cess.links import computed
from caregrid.cess.scale import Malformed, decoded
from caregrid.chain.faults import AnswerGarbled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from caregrid.cess.files import CessFile, Deal, HeldFile, RestoralOrder
    from caregrid.cess.links import Link
    from caregrid.cess.miners import Miner
    from caregrid.cess.scale import Cursor
    from caregrid.cess.territories import CessTerritory

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry(Generic[T]):
    """One entry of the state, and how it is read."""

    key: bytes
    read: Callable[[Cursor], T]
    timeout_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntries:
    """The entries of one miner's audits."""

    failed: Entry[int]
    missed: Entry[int]
    challenge: Entry[audits.CessChallenge]

    @property
    def all(self) -> tuple[Entry[Any], ...]:
        """All of them."""
        return (self.failed, self.missed, self.challenge)


class State:
    """The state after one block."""

    def __init__(self, link: Link, block: bytes) -> None:
        self._link, self._block = link, json_rpc.to_hex(block)

    async def value(self, entry: Entry[T]) -> T | None:
        """Return one value, or None.

        Raises:
            OSError: the node does not serve, or what it tells does not fit.
        """
        answer = await self._link.ask(
            "state_getStorage", json_rpc.to_hex(entry.key), self._block, timeout_s=entry.timeout_s
        )
        return None if answer is None else await _read(answer, entry.read)

    async def audit(self, entries: AuditEntries) -> audits.MinerAudit:
        """Return what there is of a miner's audits.

        Raises:
            OSError: as above.
        """
        failed = await self.value(entries.failed)
        missed = await self.value(entries.missed)
        challenge = await self.value(entries.challenge)
        return audits.MinerAudit(failed=failed, missed=missed or 0, challenge=challenge)

    async def audits(self, entries: Mapping[bytes, AuditEntries]) -> Mapping[bytes, audits.MinerAudit]:
        """Return what there is of several miners' audits, by account.

        Raises:
            OSError: as above.
        """
        told = await self._texts([entry.key for each in entries.values() for entry in each.all])
        return {account: await _audit(each, told) for account, each in entries.items()}

    async def miners(self, keys: Mapping[bytes, bytes]) -> Mapping[bytes, Miner]:
        """Return those miners that there are, by account, from their keys by account.

        Raises:
            OSError: as above.
        """
        return await self.present(
            {
                account: Entry(key=key, read=mining.read_miner, timeout_s=MINER_TIMEOUT_S)
                for account, key in keys.items()
            }
        )

    async def present(self, entries: Mapping[bytes, Entry[T]]) -> dict[bytes, T]:
        """Return those values that there are, by the names of their entries.

        Raises:
            OSError: as above.
        """
        told = await self._texts([entry.key for entry in entries.values()])
        there = ((name, entry, told[entry.key]) for name, entry in entries.items())
        return {name: await _read(text, entry.read) for name, entry, text in there if text is not None}

    async def _texts(self, keys: Sequence[bytes]) -> dict[bytes, Any]:
        told: dict[bytes, Any] = {}
        for start in range(0, len(keys), MINERS_PAGE):
            page = keys[start : start + MINERS_PAGE]
            told |= zip(page, await self._told([json_rpc.to_hex(each) for each in page]), strict=True)
        return told

    async def _told(self, asked: Sequence[str]) -> list[Any]:
        answer = await self._link.ask(
            "state_queryStorageAt", list(asked), self._block, timeout_s=MINERS_TIMEOUT_S
        )
        changes = _changes(answer, asked)
        return [changes[key] for key in asked]


def file(file_id: bytes) -> Entry[CessFile]:
    """Return the entry of a complete file."""
    key = map_key(files.PALLET, "File", hash_part(file_id))
    return Entry(key=key, read=files.read_file, timeout_s=FILE_TIMEOUT_S)


def deal(file_id: bytes) -> Entry[Deal]:
    """Return the entry of a file that is not complete yet."""
    key = map_key(files.PALLET, "DealMap", hash_part(file_id))
    return Entry(key=key, read=files.read_deal, timeout_s=DEAL_TIMEOUT_S)


def held(account: bytes) -> Entry[tuple[HeldFile, ...]]:
    """Return the entry of what an account owns."""
    key = map_key(files.PALLET, "UserHoldFileList", account_part(account))
    return Entry(key=key, read=files.read_held, timeout_s=HELD_TIMEOUT_S)


def restoral_order(fragment: bytes) -> Entry[RestoralOrder]:
    """Return the entry of the order to restore a fragment."""
    key = map_key(files.PALLET, "RestoralOrder", hash_part(fragment))
    return Entry(key=key, read=files.read_restoral_order, timeout_s=RESTORAL_TIMEOUT_S)


def miner(account: bytes) -> Entry[Miner]:
    """Return a miner's entry."""
    return Entry(key=miner_key(account), read=mining.read_miner, timeout_s=MINER_TIMEOUT_S)


def miner_key(account: bytes) -> bytes:
    """Return the key of a miner's entry."""
    return map_key(mining.PALLET, "MinerItems", account_part(account))


def audit(account: bytes) -> AuditEntries:
    """Return the entries of a miner's audits."""

    def entry(item: str, read: Callable[[Cursor], T]) -> Entry[T]:
        key = map_key(audits.PALLET, item, account_part(account))
        return Entry(key=key, read=read, timeout_s=AUDIT_TIMEOUT_S)

    return AuditEntries(
        failed=entry("CountedServiceFailed", audits.read_failed),
        missed=entry("CountedClear", audits.read_missed),
        challenge=entry("ChallengeSnapShot", audits.read_challenge),
    )


def territory(account: bytes, name: str) -> Entry[CessTerritory]:
    """Return the entry of an account's territory."""
    key = map_key(territories.PALLET, "Territory", account_part(account), territory_part(name))
    return Entry(key=key, read=territories.read_territory, timeout_s=TERRITORY_TIMEOUT_S)


def operators(owner: bytes) -> Entry[tuple[bytes, ...]]:
    """Return the entry of who may act for an owner."""
    key = map_key(territories.OSS_PALLET, "AuthorityList", account_part(owner))
    return Entry(key=key, read=territories.read_operators, timeout_s=OPERATORS_TIMEOUT_S)


_CHANGE: Final = 2


async def _read(text: Any, read: Callable[[Cursor], T]) -> T:
    data = json_rpc.from_hex(text)
    try:
        return await computed(lambda given: decoded(read, given), data)
    except Malformed as exc:
        raise StateUnreadable from exc


async def _audit(entries: AuditEntries, told: Mapping[bytes, Any]) -> audits.MinerAudit:
    values = [
        None if told[entry.key] is None else await _read(told[entry.key], entry.read) for entry in entries.all
    ]
    failed, missed, challenge = values
    return audits.MinerAudit(failed=failed, missed=missed or 0, challenge=challenge)


def _changes(answer: Any, asked: Sequence[str]) -> dict[str, Any]:
    block = answer[0] if isinstance(answer, list) and len(answer) == 1 else None
    changes = block.get("changes") if isinstance(block, dict) else None
    if not isinstance(changes, list) or not all(map(_is_change, changes)):
        raise AnswerGarbled
    # A node that leaves a key out would have us believe that there is nothing.
    if sorted(key for key, _ in changes) != sorted(asked):
        raise AnswerGarbled
    return dict(changes)


def _is_change(change: Any) -> bool:
    return isinstance(change, list) and len(change) == _CHANGE and isinstance(change[0], str)
