"""Blocked networks and attack signatures, on each kind of database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

import pytest

from caregrid.chain import (
    AttackSignature,
    BlockReason,
    BlockRef,
    Event,
    FinalizedBlock,
    IpBlock,
    Severity,
    SignatureFormat,
)
from caregrid.errors import QueueFull
from ocw_sidecar.adapters.sql import threats
from ocw_sidecar.adapters.sql.threats import SqlThreatTables
from ocw_sidecar.background.items import Entry, Kind, NewBlock, NewSignature, Settled, Status, Wish

if TYPE_CHECKING:
    from ocw_sidecar.adapters.sql import Database

US, THEM = b"\x01" * 32, b"\x02" * 32
NOW: Final = datetime(2026, 6, 1, tzinfo=UTC)
DAY: Final = timedelta(days=1)
LEASE: Final = timedelta(minutes=2)
ONE: Final = NewBlock(net=ip_network("192.0.2.0/24"), reason=BlockReason.SCANNING, expires_at=NOW + DAY)
TWO: Final = NewBlock(net=ip_network("2001:db8::/32"), reason=BlockReason.POLICY, expires_at=NOW + DAY)
MARK: Final = NewSignature(
    signature_id=b"\x07" * 16, format=SignatureFormat.REGEX, severity=Severity.HIGH, pattern=b"GET /x"
)


@pytest.fixture
def tables(database: Database) -> SqlThreatTables:
    """Empty ones."""
    return SqlThreatTables(database, US)


async def claim(
    tables: SqlThreatTables, kind: Kind = Kind.BLOCKS, *, later: timedelta = timedelta(), limit: int = 10
) -> list[Entry]:
    """Lease what is due."""
    return await tables.claim(kind, limit, now=NOW + later, until=NOW + later + LEASE)


async def statuses(tables: SqlThreatTables) -> dict[str, int]:
    """Return how many of ours are how far."""
    return {f"{each.kind} {each.status}": each.items for each in await tables.counts()}


def confirmed(entry: Entry, block: int = 5) -> Settled:
    """Return the best outcome."""
    return Settled(entry=entry, status=Status.CONFIRMED, block=block)


async def test_what_is_wanted_is_due_once(tables: SqlThreatTables) -> None:
    """A claim keeps others away until its time is over; wanting the same again changes nothing."""
    assert 2 == await tables.block([ONE, TWO], now=NOW)
    assert 0 == await tables.block([ONE, TWO], now=NOW)
    [first] = await claim(tables, limit=1)
    [second] = await claim(tables)
    assert {ONE, TWO} == {first.wanted, second.wanted}
    assert (1, Wish.STAND, None) == (first.attempts, first.wish, first.sent_until)
    assert [] == await claim(tables, later=LEASE - timedelta(seconds=1))
    assert {"blocked_ips submitted": 2} == await statuses(tables)


async def test_what_was_sent_and_not_heard_of_is_said_so(tables: SqlThreatTables) -> None:
    """Who takes over learns with which end the network was sent."""
    await tables.block([ONE], now=NOW)
    [entry] = await claim(tables)
    await tables.note_sending([replace(entry, sent_until=4711)])
    [again] = await claim(tables, later=LEASE)
    assert (2, 4711) == (again.attempts, again.sent_until)
    await tables.settle([confirmed(entry)], now=NOW)  # who was too slow has nothing to say
    assert {"blocked_ips submitted": 1} == await statuses(tables)
    await tables.settle([confirmed(again)], now=NOW)
    assert {"blocked_ips confirmed": 1} == await statuses(tables)
    assert [] == await claim(tables, later=DAY)


async def test_a_released_entry_is_as_before(tables: SqlThreatTables) -> None:
    """Nothing was sent: it is due again at once."""
    await tables.block([ONE], now=NOW)
    await tables.release(await claim(tables), now=NOW)
    [entry] = await claim(tables)
    assert entry.sent_until is None


async def test_a_passing_fault_and_a_lasting_one(tables: SqlThreatTables) -> None:
    """One is tried again when it is time, the other when it is wanted anew."""
    await tables.block([ONE, TWO], now=NOW)
    one, two = sorted(await claim(tables), key=lambda each: each.wanted != ONE)
    later = NOW + timedelta(seconds=30)
    await tables.settle(
        [
            Settled(entry=one, status=Status.PENDING, reason="CHAIN_UNREACHABLE", next_attempt=later),
            Settled(entry=two, status=Status.FAILED, reason="EXPIRY_IN_PAST"),
        ],
        now=NOW,
    )
    assert [] == await claim(tables, later=timedelta(seconds=29))
    [again] = await claim(tables, later=timedelta(seconds=30))
    assert (ONE, 2) == (again.wanted, again.attempts)
    assert {"blocked_ips submitted": 1, "blocked_ips failed": 1} == await statuses(tables)
    assert 1 == await tables.block([TWO], now=NOW)
    assert [TWO] == [each.wanted for each in await claim(tables)]


async def test_withdrawing(tables: SqlThreatTables) -> None:
    """What was never sent just goes; what stands goes by a call; what is being sent waits for its outcome."""
    assert 0 == await tables.unblock([str(ONE.net)], now=NOW)
    await tables.block([ONE, TWO], now=NOW)
    assert 1 == await tables.unblock([str(ONE.net)], now=NOW)
    assert {"blocked_ips pending": 1} == await statuses(tables)
    [entry] = await claim(tables)
    await tables.note_sending([replace(entry, sent_until=99)])
    assert 1 == await tables.unblock([str(TWO.net)], now=NOW)
    await tables.settle([confirmed(entry)], now=NOW)
    assert [] == await claim(tables)
    [going] = await claim(tables, later=LEASE)
    assert Wish.GO == going.wish
    await tables.settle([confirmed(going)], now=NOW)
    assert {} == await statuses(tables)


async def test_signatures_have_the_same_life(tables: SqlThreatTables) -> None:
    """Registered, retired; one that is there is not replaced."""
    assert 1 == await tables.register([MARK], now=NOW)
    assert 0 == await tables.register([replace(MARK, pattern=b"other")], now=NOW)
    [entry] = await claim(tables, Kind.SIGNATURES)
    assert MARK == entry.wanted
    await tables.settle([confirmed(entry)], now=NOW)
    assert {"attack_signatures confirmed": 1} == await statuses(tables)
    assert 1 == await tables.retire([MARK.signature_id], now=NOW)
    [going] = await claim(tables, Kind.SIGNATURES)
    assert (Wish.GO, MARK.signature_id) == (going.wish, going.key)
    await tables.settle([confirmed(going)], now=NOW)
    assert {} == await statuses(tables)


async def test_there_is_an_end_to_what_is_kept(
    tables: SqlThreatTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More is refused as a whole."""
    monkeypatch.setattr(threats, "MAX_OWN", 1)
    with pytest.raises(QueueFull):
        await tables.block([ONE, TWO], now=NOW)
    assert {} == await statuses(tables)


def blocked(net: str, organisation: bytes = THEM, expires_at: int = 1000) -> Event:
    """Return the event of a network that was blocked."""
    parsed = ip_network(net)
    field = {f"V{parsed.version}": {"address": parsed.network_address.packed, "prefix": parsed.prefixlen}}
    fields = {"net": field, "organisation": organisation, "reason": "Policy", "expires_at": expires_at}
    return Event(pallet="Threats", name="IpBlocked", fields=fields)


def gone(net: str, organisation: bytes = THEM, name: str = "IpUnblocked") -> Event:
    """Return the event of one that is not blocked any more."""
    fields: dict[str, Any] = {**blocked(net, organisation).fields}
    return Event(pallet="Threats", name=name, fields=fields)


def block_of(number: int, *events: Event) -> FinalizedBlock:
    """Return a finalized block."""
    return FinalizedBlock(ref=BlockRef(number=number, hash=number.to_bytes(32, "big")), events=events)


async def test_others_entries_come_and_go_with_blocks(tables: SqlThreatTables) -> None:
    """Each block counts once; ours are counted apart."""
    assert await tables.cursor() is None
    assert 0 == await tables.take_all([], [], height=9, now=NOW)
    assert 9 == await tables.cursor()
    first = block_of(10, blocked("10.0.0.0/8"), blocked("10.0.0.0/8", expires_at=12), blocked("11.0.0.0/8"))
    assert 3 == await tables.take_in([first], [], now=NOW)
    assert 0 == await tables.take_in([first], [], now=NOW)
    assert {} == await statuses(tables)
    assert 0 == await tables.expired(now=NOW, height=11)
    assert 1 == await tables.expired(now=NOW, height=12)
    # By the clock alone: two blocks of two seconds each after the one it was seen in.
    assert 1 == await tables.expired(now=NOW + timedelta(seconds=4), height=None)
    assert 1 == await tables.take_in([block_of(11), block_of(12, gone("11.0.0.0/8"))], [], now=NOW)
    assert 0 == await tables.take_in([block_of(14, blocked("12.0.0.0/8"))], [], now=NOW)
    assert 12 == await tables.cursor()


async def test_our_entries_are_known_again(tables: SqlThreatTables) -> None:
    """What another tool of ours sent is confirmed; what is wanted differently meanwhile stays wanted."""
    await tables.take_all([], [], height=1, now=NOW)
    await tables.block([ONE, TWO], now=NOW)
    [one, two] = sorted(await claim(tables), key=lambda each: each.wanted != ONE)
    await tables.note_sending([replace(one, sent_until=500), replace(two, sent_until=500)])
    assert 1 == await tables.block([replace(TWO, reason=BlockReason.INTRUSION)], now=NOW)
    events = [blocked(str(ONE.net), US, 500), blocked(str(TWO.net), US, 400), blocked("10.0.0.0/8", US, 500)]
    await tables.take_in([block_of(2, *events)], [], now=NOW)
    assert {"blocked_ips confirmed": 2, "blocked_ips pending": 1} == await statuses(tables)
    await tables.take_in([block_of(3, *(gone(str(each.net), US) for each in (ONE, TWO)))], [], now=NOW)
    assert {"blocked_ips confirmed": 1, "blocked_ips pending": 1} == await statuses(tables)


async def test_all_that_stands_replaces_what_was_seen(tables: SqlThreatTables) -> None:
    """After a long pause; what of ours is on its way stays."""
    await tables.block([ONE], now=NOW)
    await tables.take_all([], [], height=1, now=NOW)
    await tables.take_in([block_of(2, blocked("10.0.0.0/8"))], [], now=NOW)
    mark = AttackSignature(
        signature_id=MARK.signature_id,
        organisation=THEM,
        format=MARK.format,
        severity=MARK.severity,
        pattern=MARK.pattern,
        registered_at=3,
    )
    standing = IpBlock(
        net=ip_network("11.0.0.0/8"), organisation=THEM, reason=BlockReason.POLICY, expires_at=50
    )
    assert 2 == await tables.take_all([standing], [mark], height=40, now=NOW)
    assert 1 == await tables.remove_expired(now=NOW, height=50)
    assert 0 == await tables.remove_expired(now=NOW, height=10**6)
    assert {"blocked_ips pending": 1} == await statuses(tables)
    assert 1 == await tables.remove_expired(now=NOW + DAY, height=None)
    retired = Event(
        pallet="Threats",
        name="SignatureRetired",
        fields={"signature": MARK.signature_id, "organisation": THEM},
    )
    assert 1 == await tables.take_in([block_of(41, retired)], [], now=NOW)
