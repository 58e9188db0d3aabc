"""The same world on each chain adapter: people with submitters, and a note of everything that was seen."""

from __future__ import annotations

import asyncio
import functools
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from caregrid.chain import Call, Event, Receipt, SubstrateChain, SubstrateSubmitter, calls, flights, refusals
from caregrid.errors import CallRejected
from caregrid.keys import Identity
from caregrid.records import ObjectEntry, RecordEntry, RecordFormat
from caregrid.testing import MemoryChain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from caregrid.chain import Chain, FinalizedBlock, Submitter

OURS: Final = ("Emr", "Threats")
UNIT: Final = 10**12
#: For what only a real chain has: encodings, fees, deposits.
NODE_ONLY: Final = pytest.mark.parametrize("world", ["node"], indirect=True)
#: The worlds outlive their tests, so their event loop must, too.
ONE_LOOP: Final = pytest.mark.asyncio(loop_scope="session")
#: The development genesis endows it.
FUNDER: Final = "//Ferdie"
#: Everybody but the funder is made anew, so that nothing is left of an earlier test run on the same node.
PEOPLE: Final = (
    "hospital",
    "operator",
    "member",
    "wallet",
    "reader",
    "stranger",
    "clinic",
    "founder",
    "worker",
)
FUNDS: Final = 1_000 * UNIT
#: Patients that are there from the beginning, by who decides on them, and records of each.
KEPT: Final = {"hospital": 24, "wallet": 8}
KEPT_RECORDS: Final = 3
#: Blocks from deciding on a height to acting on it, on a busy machine; two seconds each.
SOON: Final = 6
#: A block comes every two seconds; this many of them are an outage.
PATIENCE_S: Final = 120.0


class Kept(NamedTuple):
    """A patient of the hospital, and what is anchored of his."""

    patient: bytes
    records: list[bytes]
    object_id: bytes


class Seen(NamedTuple):
    """One call, event or error of the metadata."""

    kind: str
    name: str


@dataclass
class World:
    """A chain with a hospital, a clinic, and people."""

    kind: str  #: `memory` or `node`
    chain: Chain
    url: str | None
    people: dict[str, Identity]
    submitters: dict[str, Submitter] = field(default_factory=dict)
    seen: set[Seen] = field(default_factory=set)
    unused: dict[str, list[Kept]] = field(default_factory=dict)

    def account(self, who: str) -> bytes:
        """Return somebody's account."""
        return self.people[who].account

    def submitter(self, who: str) -> Submitter:
        """Return somebody's submitter; he has one."""
        if who not in self.submitters:
            self.submitters[who] = self._new_submitter(self.people[who])
        return self.submitters[who]

    def newcomer(self, who: str) -> bytes:
        """Let somebody else take part, without a token; return his account."""
        self.people[who] = Identity.generate()
        return self.account(who)

    def kept(self, controller: str = "hospital") -> Kept:
        """Return a patient that no test has used, whose access the hospital decides on, or the wallet."""
        return self.unused[controller].pop()

    async def submit(self, who: str, *wanted: Call) -> list[Event]:
        """Make calls as somebody, all in flight at once; return what CareGrid's pallets report of them."""
        events: list[Event] = []
        for outcome in await self.outcomes(who, *wanted):
            if isinstance(outcome, Exception):
                raise outcome
            events += self.own(outcome)
        return events

    async def outcomes(self, who: str, *wanted: Call) -> list[Receipt | Exception]:
        """Make calls as somebody, and return what comes of each."""
        found = await self.submitter(who).submit_many(wanted)
        for call, outcome in zip(wanted, found, strict=True):
            self._note(call, outcome)
        return found

    async def together(self, *wanted: tuple[str, Sequence[Call]]) -> list[list[Event]]:
        """Make several people's calls at the same time."""
        return list(await asyncio.gather(*(self.submit(who, *each) for who, each in wanted)))

    async def refused(self, *wanted: tuple[str, Call]) -> list[str]:
        """Make calls that are all refused, at the same time; return `Pallet.Name` of each, in order."""
        by_person: dict[str, list[int]] = {}
        for index, (who, _) in enumerate(wanted):
            by_person.setdefault(who, []).append(index)
        found: dict[int, str] = {}

        async def one(who: str, indexes: list[int]) -> None:
            outcomes = await self.outcomes(who, *(wanted[index][1] for index in indexes))
            found.update(zip(indexes, map(name_of, outcomes), strict=True))

        await asyncio.gather(*(one(who, indexes) for who, indexes in by_person.items()))
        return [found[index] for index in range(len(wanted))]

    async def signed(self, who: str, call: Call) -> Callable[[], Awaitable[Receipt | Exception]]:
        """Sign a call, and return what sends it off and waits for it, later."""
        submitter = self.submitter(who)
        if not isinstance(submitter, SubstrateSubmitter):
            return lambda: self._only(who, call)
        signed = await sign(submitter, call)

        async def send() -> Receipt | Exception:
            await submitter._connection.run(lambda client: flights.offer(client, signed.raw))
            [outcome] = await submitter._wait([flights.Flight(call=call, tries=[signed])])
            self._note(call, outcome)
            return outcome

        return send

    async def height(self) -> int:
        """Return the number of the last finalized block."""
        return (await self.chain.finalized_head()).number

    async def reach(self, number: int) -> None:
        """Wait until a block is final."""
        if isinstance(self.chain, MemoryChain):
            while await self.height() < number:
                self.chain.finalize_block()
            return
        async with asyncio.timeout(PATIENCE_S):
            async for block in self.chain.finalized_blocks(await self.height()):
                if block.ref.number >= number:
                    return

    async def events(self, first: int, last: int) -> list[tuple[int, Event]]:
        """Return what CareGrid's pallets report in blocks `first` to `last`, which are waited for."""
        await self.reach(last)
        found: list[tuple[int, Event]] = []
        async with asyncio.timeout(PATIENCE_S):
            async for block in self.chain.finalized_blocks(first):
                found += [(block.ref.number, event) for event in self._own(block)]
                if block.ref.number == last:
                    break
        self.seen |= {Seen("event", f"{event.pallet}.{event.name}") for _, event in found}
        return found

    def own(self, receipt: Receipt) -> list[Event]:
        """Return what CareGrid's pallets report of a call."""
        return [event for event in receipt.events if event.pallet in OURS]

    async def close(self) -> None:
        """Release the connection."""
        await self.chain.close()

    async def _only(self, who: str, call: Call) -> Receipt | Exception:
        [outcome] = await self.outcomes(who, call)
        return outcome

    @staticmethod
    def _own(block: FinalizedBlock) -> list[Event]:
        return [event for event in block.events if event.pallet in OURS]

    def _note(self, call: Call, outcome: Receipt | Exception) -> None:
        if isinstance(outcome, CallRejected):
            self.seen.add(Seen("error", f"{outcome.pallet}.{outcome.name}"))
        elif isinstance(outcome, Receipt):
            self.seen |= {Seen("call", name) for name in names_in(call)}
            for event in self.own(outcome):
                self.seen.add(Seen("event", f"{event.pallet}.{event.name}"))
                reason = refusals.of_item(event)
                if reason is not None:
                    self.seen.add(Seen("error", f"{reason.pallet}.{reason.name}"))

    def _new_submitter(self, who: Identity) -> Submitter:
        if isinstance(self.chain, MemoryChain):
            return self.chain.submitter(who.account)
        assert self.url is not None
        assert isinstance(self.chain, SubstrateChain)
        made = SubstrateSubmitter([self.url], account=who.account, sign=who.sign)
        # One client for all: each takes a second to set up.
        made._connection = self.chain._connection
        return made


async def sign(submitter: SubstrateSubmitter, call: Call) -> flights.Signed:
    """Sign a call, and send nothing."""
    [signed] = await submitter._connection.run(
        lambda client: flights.prepare(client, submitter.account, submitter._sign, [call], None)
    )
    assert isinstance(signed, flights.Signed)
    return signed


async def build(kind: str, url: str | None) -> World:
    """Return a world in which the hospital has an operator and an emergency role, and the reader a key."""
    chain: Chain = MemoryChain() if url is None else SubstrateChain([url])
    people = {who: Identity.generate() for who in PEOPLE} | {"funder": Identity.from_uri(FUNDER)}
    world = World(kind=kind, chain=chain, url=url, people=people)
    if isinstance(chain, MemoryChain):
        chain.endow(world.account("funder"), 10**6 * UNIT)
    await world.submit(
        "funder", calls.batch_all([calls.transfer(world.account(who), FUNDS) for who in PEOPLE])
    )
    hospital = [
        calls.register_organisation([world.account("operator")]),
        calls.set_emergency_members([world.account("member")]),
        *_patients(world),
    ]
    await world.together(
        ("hospital", hospital),
        ("clinic", [calls.register_organisation([])]),
        ("reader", [calls.set_encryption_key(public_key(world, "reader"))]),
    )
    return world


def _patients(world: World) -> list[Call]:
    """Return what anchors the patients that tests begin with: a block's wait for all, and not for each."""
    hospital, made = world.account("hospital"), []
    for controller, count in KEPT.items():
        world.unused[controller] = []
        for _ in range(count):
            patient, entry = new_id(), new_object(KEPT_RECORDS)
            records = [new_record(patient) for _ in range(KEPT_RECORDS)]
            ids = [record.record_id for record in records]
            world.unused[controller].append(Kept(patient, ids, entry.object_id))
            made += [
                calls.register_patient(hospital, patient, world.account(controller)),
                calls.store_emr_batch(hospital, entry, records),
            ]
    # Whole calls each, but few extrinsics.
    return [calls.batch_all(made[start : start + 16]) for start in range(0, len(made), 16)]


def covers(pallet: str, *, made: str = "", reported: str = "", refused: str = "") -> Callable[[Any], Any]:
    """Mark a test with the calls, events and errors that it sees; it fails when it does not.

    Names without their pallet, with blanks between them. Reasons in events count as errors.
    """
    groups = {"call": made, "event": reported, "error": refused}
    declared = {Seen(kind, f"{pallet}.{name}") for kind, names in groups.items() for name in names.split()}

    def mark(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        @functools.wraps(test)
        async def watched(world: World, **others: Any) -> None:
            world.seen.clear()
            await test(world=world, **others)
            assert set() == declared - world.seen

        watched.covers = declared | getattr(test, "covers", set())  # type: ignore[attr-defined] # read by the test of coverage
        return watched

    return mark


def names_in(call: Call) -> list[str]:
    """Return `Pallet.name` of a call and of those inside it."""
    inner = [*call.params.get("calls", ()), *filter(None, [call.params.get("call")])]
    return [
        f"{call.pallet}.{call.function}",
        *(f"{each['call_module']}.{each['call_function']}" for each in inner),
    ]


def name_of(outcome: Receipt | Exception) -> str:
    """Return `Pallet.Name` of a refusal; it is of the class of that name."""
    assert isinstance(outcome, CallRejected), outcome
    kind = refusals.PALLETS.get(outcome.pallet, {}).get(outcome.name, CallRejected)
    assert isinstance(outcome, kind)
    return f"{outcome.pallet}.{outcome.name}"


def emr(name: str, **fields: Any) -> Event:
    """Return an event of pallet-emr."""
    return Event(pallet="Emr", name=name, fields=fields)


def threats(name: str, **fields: Any) -> Event:
    """Return an event of pallet-threats."""
    return Event(pallet="Threats", name=name, fields=fields)


def public_key(world: World, who: str) -> bytes:
    """Return somebody's encryption key."""
    return world.people[who].encryption.public_key


def new_id(length: int = 32) -> bytes:
    """Return random bytes."""
    return secrets.token_bytes(length)


def new_object(count: int = 1) -> ObjectEntry:
    """Return an object of 1,000 bytes that nobody has stored."""
    return ObjectEntry(object_id=new_id(), size=1000, record_count=count, manifest_root=new_id())


def new_record(patient: bytes, **changes: Any) -> RecordEntry:
    """Return a record of 100 bytes that nobody has anchored."""
    fields = {
        "record_id": new_id(16),
        "patient_id": patient,
        "offset": 0,
        "length": 100,
        "digest": new_id(),
        "format": RecordFormat.FHIR_R4_JSON,
    }
    return RecordEntry(**{**fields, **changes})
