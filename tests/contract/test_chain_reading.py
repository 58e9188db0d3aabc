"""Reads at the last finalized block on every chain adapter: pages, live grants, blocks without a gap."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from caregrid.chain import (
    Escrowed,
    ExpirableRequest,
    Inline,
    LiveRecord,
    PatientScope,
    Pending,
    RecordScope,
    SubstrateChain,
    Tombstone,
    calls,
)
from tests.contract.chain_world import NODE_ONLY, ONE_LOOP, new_id, new_object, new_record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from caregrid.chain import Call, Chain, Grant, KeyState, Scope
    from tests.contract.chain_world import World

pytestmark = ONE_LOOP

#: No grant here may end while its test runs.
LONG = 5_000


def grant(scope: Scope, grantee: bytes, expires_at: int, key: KeyState | None = None) -> Call:
    """Return a grant for treatment."""
    return calls.grant_access(
        scope, grantee, expires_at=expires_at, purpose="Treatment", key=key or Pending()
    )


async def all_pages(read: Callable[[Any], Awaitable[Any]]) -> tuple[list[Any], int]:
    """Return what all pages hold together, and how many there are."""
    items, pages, after = [], 0, None
    while True:
        page = await read(after)
        items += page.items
        pages, after = pages + 1, page.next
        if after is None:
            return items, pages


async def test_a_patients_records_are_listed_in_pages(world: World) -> None:
    """Each once, without the erased ones; a full page says where to go on, also behind one erased since."""
    hospital, patient = world.account("hospital"), new_id()
    anchored = [new_record(patient) for _ in range(7)]
    records = [record.record_id for record in anchored]
    await world.submit(
        "operator",
        calls.register_patient(hospital, patient),
        calls.store_emr_batch(hospital, new_object(7), anchored),
        calls.erase_record(hospital, records[0]),
    )
    for limit, pages in ((1, 7), (2, 4), (4, 2), (256, 1)):
        found, counted = await all_pages(
            lambda after, limit=limit: world.chain.records_of_patient(patient, after=after, limit=limit)  # type: ignore[misc] # mypy cannot infer a lambda with a default
        )
        assert (sorted(records[1:]), pages) == (sorted(found), counted)
    first = await world.chain.records_of_patient(patient, limit=3)
    assert first.next == first.items[-1]
    await world.submit("operator", calls.erase_record(hospital, first.items[-1]))
    rest = await world.chain.records_of_patient(patient, after=first.next)
    assert sorted(records[1:]) == sorted([*first.items, *rest.items])
    assert rest.next is None
    assert [] == list((await world.chain.records_of_patient(new_id())).items)


async def test_the_view_of_a_record_says_who_answers_for_it(world: World) -> None:
    """For a live one the custodian of its object, for an erased one who erased it."""
    _, [record, erased, _], _ = world.kept()
    await world.submit("operator", calls.erase_record(world.account("hospital"), erased))
    live, gone = await world.chain.record_view(record), await world.chain.record_view(erased)
    assert isinstance(live, LiveRecord)
    assert (world.account("hospital"), record) == (live.custodian, live.record.record_id)
    assert live.record == await world.chain.record(record)
    assert isinstance(gone, Tombstone)
    assert gone == await world.chain.tombstone(erased)
    assert await world.chain.record_view(new_id(16)) is None
    assert {erased: gone} == await world.chain.tombstones([record, erased, new_id(16)])
    assert {} == await world.chain.tombstones([])


async def test_grants_of_a_record_are_listed_in_pages(world: World) -> None:
    """Its own first, then those of its patient; every form of key comes through."""
    patient, [record, *_], _ = world.kept()
    reader, expires_at = world.account("reader"), await world.height() + LONG
    own, wide = RecordScope(record_id=record), PatientScope(patient_id=patient)
    key = await world.chain.encryption_key(reader)
    assert key is not None
    inline = Inline(wrapped=b"0x" + b"f" * 1166, key_version=key.version)
    escrowed = Escrowed(digest=new_id(), key_version=key.version)
    others = [new_id() for _ in range(3)]
    await world.submit(
        "operator",
        grant(own, reader, expires_at, inline),
        grant(wide, reader, expires_at, escrowed),
        *(grant(scope, other, expires_at) for scope in (own, wide) for other in others),
    )
    expected = [*await world.chain.grants(own), *await world.chain.grants(wide)]
    for limit, pages in ((3, 3), (4, 3), (256, 1)):
        found, counted = await all_pages(
            lambda after, limit=limit: world.chain.grants_of_record(record, after=after, limit=limit)  # type: ignore[misc] # as above
        )
        assert pages == counted
        assert [own] * 4 + [wide] * 4 == [each.scope for each in found]
        assert sorted(expected, key=_place) == sorted(found, key=_place)
    assert inline == next(each for each in expected if each.scope == own and each.grantee == reader).key
    page = await world.chain.grants_of_record(new_id(16))
    assert ([], None) == (list(page.items), page.next)


def _place(one: Grant) -> tuple[str, bytes]:
    return (repr(one.scope), one.grantee)


async def test_a_live_grant_is_found_by_record_and_reader(world: World) -> None:
    """The record's own before the patient's; none for others, nor for an erased record."""
    patient, [record, other, _], _ = world.kept()
    reader, expires_at = world.account("reader"), await world.height() + LONG
    own, wide = RecordScope(record_id=record), PatientScope(patient_id=patient)
    await world.submit("operator", grant(own, reader, expires_at), grant(wide, reader, expires_at + 1))
    first, second = await world.chain.live_grant(record, reader), await world.chain.live_grant(other, reader)
    assert (first, second) == (await world.chain.grant(own, reader), await world.chain.grant(wide, reader))
    assert first is not None
    assert await world.chain.live_grant(record, new_id()) is None
    await world.submit("operator", calls.erase_record(world.account("hospital"), record))
    assert await world.chain.live_grant(record, reader) is None


async def test_grants_that_are_about_to_expire_are_listed(world: World) -> None:
    """The earliest first, within the range; requests between them count for a page, but are not shown."""
    patient, [record, *_], _ = world.kept()
    # Far from what other tests let expire, and from where an earlier run of this one was.
    scope, first = PatientScope(patient_id=patient), 10 * (LONG + int.from_bytes(new_id(2)))
    await world.together(
        ("operator", [grant(scope, new_id(), first + number) for number in (3, 1, 2, 0, 9)]),
        ("reader", [calls.request_access(record, purpose="Treatment", expires_at=first + 2)]),
    )
    for limit in (1, 2, 256):
        found, pages = await all_pages(
            lambda after, limit=limit: world.chain.expiring_grants(first, first + 9, after=after, limit=limit)  # type: ignore[misc] # as above
        )
        assert [first, first + 1, first + 2, first + 3] == [each.expires_at for each in found]
        assert (pages > 1) == (limit < 256)
    behind = await world.chain.expiring_grants(
        first,
        first + 9,
        after=(first + 2, ExpirableRequest(record_id=b"\xff" * 16, requester=b"\xff" * 32)),
    )
    assert first + 3 == behind.items[-1].expires_at
    assert [] == list((await world.chain.expiring_grants(first + 4, first + 9)).items)
    assert [] == list((await world.chain.expiring_grants(first + 9, first)).items)


async def test_finalized_blocks_come_without_a_gap(world: World) -> None:
    """Block follows block by number, and an event is found where its receipt says."""
    start, patient, hospital = await world.height(), new_id(), world.account("hospital")
    [receipt] = await world.outcomes("operator", calls.register_patient(hospital, patient))
    assert not isinstance(receipt, Exception)
    seen: list[int] = []
    async with asyncio.timeout(60):
        async for block in world.chain.finalized_blocks(start):
            seen.append(block.ref.number)
            found = [event for event in block.events if event.fields.get("patient") == patient]
            if found:
                break
    assert list(range(start, receipt.block.number + 1)) == seen
    assert receipt.block == block.ref
    assert world.own(receipt) == found


@NODE_ONLY
async def test_every_read_is_of_the_finalized_block(world: World) -> None:
    """Whatever is asked, the node is asked for a block that it called final just before."""
    patient, [record, *_], _ = world.kept()
    unknown, net = new_id(), ip_network("10.0.0.0/8")
    scope = RecordScope(record_id=record)
    reads: list[Callable[[Chain], Awaitable[Any]]] = [
        lambda chain: chain.record(record),
        lambda chain: chain.records([record]),
        lambda chain: chain.tombstone(record),
        lambda chain: chain.record_view(record),
        lambda chain: chain.records_of_patient(patient),
        lambda chain: chain.stored_object(unknown),
        lambda chain: chain.organisation(unknown),
        lambda chain: chain.patient(patient),
        lambda chain: chain.encryption_key(unknown),
        lambda chain: chain.grant(scope, unknown),
        lambda chain: chain.grants(scope),
        lambda chain: chain.live_grant(record, unknown),
        lambda chain: chain.grants_of_record(record),
        lambda chain: chain.expiring_grants(0, 9),
        lambda chain: chain.access_request(record, unknown),
        lambda chain: chain.access_requests(record),
        lambda chain: chain.ip_block(net, unknown),
        lambda chain: chain.ip_blocks(net),
        lambda chain: chain.signature(unknown[:16]),
        lambda chain: chain.balance(unknown),
    ]
    assert isinstance(world.chain, SubstrateChain)
    for read in reads:
        with watched(world.chain) as requests:
            await read(world.chain)
        heads = [answer for method, _, answer in requests if method == "chain_getFinalizedHead"]
        asked = [params[-1] for method, params, _ in requests if method in STATE_AT]
        assert asked
        assert set(asked) <= set(heads)


#: Requests for state; the block's hash is their last parameter.
STATE_AT = frozenset(
    {"state_getStorage", "state_getStorageAt", "state_queryStorageAt", "state_getKeysPaged", "state_call"}
)


@contextmanager
def watched(chain: SubstrateChain) -> Iterator[list[tuple[str, list[Any], Any]]]:
    """Note every request to the node: method, parameters, result."""
    requests: list[tuple[str, list[Any], Any]] = []
    client = chain._connection._worker.client
    ask = client.rpc_request

    def asked(method: str, params: list[Any], *others: Any) -> Any:
        answer = ask(method, params, *others)
        requests.append((method, params, answer.get("result")))
        return answer

    client.rpc_request = asked
    try:
        yield requests
    finally:
        client.rpc_request = ask
