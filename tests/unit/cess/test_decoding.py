"""Values of the chain's state: what the library encodes is read back, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caregrid.cess import (
    CessFile,
    CessFragment,
    CessSegment,
    CessTerritory,
    CessTerritoryState,
    Deal,
    DealReport,
    DealSegment,
    FileOwner,
    FileState,
    HeldFile,
    Miner,
    MinerState,
    RestoralOrder,
    audits,
    files,
    miners,
    territories,
)
from caregrid.cess.scale import Cursor, Malformed, decoded
from tests.unit.cess import values
from tests.unit.cess.encoding import SPACE_PROOF, encoded, hexed

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNTS = DIGESTS = st.binary(min_size=32, max_size=32)
BLOCKS = st.integers(0, 2**32 - 1)
AMOUNTS = st.integers(0, 2**128 - 1)
NAMES = st.binary(max_size=63)
OWNERS = st.builds(FileOwner, account=ACCOUNTS, file_name=NAMES, territory=NAMES)
FRAGMENTS = st.builds(
    CessFragment, digest=DIGESTS, available=st.booleans(), tag_block=st.none() | BLOCKS, miner=ACCOUNTS
)


def twelve(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Return a strategy for the fragments of a segment; most are alike, which keeps examples small."""
    few = st.tuples(strategy, strategy)
    return few.map(lambda pair: (pair[0],) * 7 + (pair[1],) * 5)


FILES = st.builds(
    CessFile,
    segments=st.lists(st.builds(CessSegment, digest=DIGESTS, fragments=twelve(FRAGMENTS)), max_size=3).map(
        tuple
    ),
    owners=st.lists(OWNERS, max_size=3).map(tuple),
    size=AMOUNTS,
    completion=BLOCKS,
    state=st.sampled_from(FileState),
)
DEALS = st.builds(
    Deal,
    segments=st.lists(st.builds(DealSegment, digest=DIGESTS, fragments=twelve(DIGESTS)), max_size=3).map(
        tuple
    ),
    owner=OWNERS,
    size=AMOUNTS,
    reports=st.lists(st.builds(DealReport, index=st.integers(1, 12), miner=ACCOUNTS), max_size=12).map(tuple),
)
ORDERS = st.builds(
    RestoralOrder,
    claims=BLOCKS,
    miner=ACCOUNTS,
    origin=ACCOUNTS,
    fragment=DIGESTS,
    file_id=DIGESTS,
    created=BLOCKS,
    deadline=BLOCKS,
)
MINERS = st.builds(
    Miner,
    beneficiary=ACCOUNTS,
    staking_account=ACCOUNTS,
    endpoint=st.binary(max_size=100),
    collateral=AMOUNTS,
    debt=AMOUNTS,
    state=st.sampled_from(MinerState),
    declared_space=AMOUNTS,
    idle_space=AMOUNTS,
    service_space=AMOUNTS,
    locked_space=AMOUNTS,
    proves_space=st.booleans(),
)
HELD = st.lists(st.builds(HeldFile, file_id=DIGESTS, territory=NAMES, space=AMOUNTS), max_size=70).map(tuple)


@settings(max_examples=50, deadline=None)
@given(FILES)
def test_files_are_read_back(file: CessFile) -> None:
    """A file is what was encoded."""
    assert file == decoded(files.read_file, values.encoded_file(file))


@settings(max_examples=50, deadline=None)
@given(DEALS)
def test_deals_are_read_back(deal: Deal) -> None:
    """A deal is what was encoded."""
    assert deal == decoded(files.read_deal, values.encoded_deal(deal))


@settings(max_examples=50, deadline=None)
@given(ORDERS)
def test_restoral_orders_are_read_back(order: RestoralOrder) -> None:
    """A restoral order is what was encoded."""
    assert order == decoded(files.read_restoral_order, values.encoded_order(order))


@settings(max_examples=30, deadline=None)
@given(MINERS)
def test_miners_are_read_back(miner: Miner) -> None:
    """A miner is what was encoded, whatever is passed over."""
    assert miner == decoded(miners.read_miner, values.encoded_miner(miner))


@settings(max_examples=30, deadline=None)
@given(HELD)
def test_lists_of_files_are_read_back(held: tuple[HeldFile, ...]) -> None:
    """A list of files is what was encoded; above 63 entries its length takes two bytes."""
    assert held == decoded(files.read_held, values.encoded_held(held))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(AMOUNTS, min_size=4, max_size=4), BLOCKS, BLOCKS, st.sampled_from(CessTerritoryState), ACCOUNTS
)
def test_territories_are_read_back(
    spaces: list[int], start: int, deadline: int, state: CessTerritoryState, token: bytes
) -> None:
    """A territory is what was encoded."""
    total, used, locked, remaining = spaces
    expected = CessTerritory(
        token=token,
        total=total,
        used=used,
        locked=locked,
        remaining=remaining,
        start=start,
        deadline=deadline,
        state=state,
    )
    data = encoded(
        "CessTerritory",
        {
            "token": hexed(token),
            "total": total,
            "used": used,
            "locked": locked,
            "remaining": remaining,
            "start": start,
            "deadline": deadline,
            "state": state.value.title().replace(" ", ""),
        },
    )
    assert expected == decoded(territories.read_territory, data)


@settings(max_examples=30, deadline=None)
@given(st.lists(ACCOUNTS, max_size=20))
def test_operators_are_read_back(operators: list[bytes]) -> None:
    """Operators are those that were encoded."""
    data = encoded("CessOperators", [hexed(each) for each in operators])
    assert tuple(operators) == decoded(territories.read_operators, data)


def challenge(**changes: Any) -> bytes:
    """Return a challenge as the chain has it."""
    fields = {
        "idle_space": 1,
        "service_space": 2,
        "bloom_filter": [7] * 256,
        "space_proof": SPACE_PROOF,
        "tee_signature": hexed(b"\x05" * 64),
        "start": 100,
        "idle_slip": 160,
        "service_slip": 150,
        "verify_slip": 800,
        "space_param": list(range(8)),
        "indexes": list(range(47)),
        "randoms": [hexed(bytes([each]) * 20) for each in range(47)],
        "assign": 1,
        "idle_prove": None,
        "service_prove": None,
    }
    return encoded("CessChallenge", fields | changes)


@pytest.mark.parametrize("verdict", [None, True, False])
@pytest.mark.parametrize("idle", [None, True])
def test_challenges_are_read_back(verdict: bool | None, idle: bool | None) -> None:  # noqa: FBT001 - parameters
    """Blocks and the service proof's verdict are found behind all that is passed over."""
    proof = {"tee": hexed(b"\x06" * 32), "proof": hexed(b"123"), "result": verdict}
    idle_proof = None if idle is None else {"tee": hexed(b"\x07" * 32), "proof": hexed(b"4"), "result": idle}
    expected = audits.CessChallenge(
        start=100,
        idle_deadline=160,
        service_deadline=150,
        verification_deadline=800,
        proof=audits.ServiceProof(verdict=verdict),
    )
    data = challenge(idle_prove=idle_proof, service_prove=proof)
    assert expected == decoded(audits.read_challenge, data)
    assert replace(expected, proof=None) == decoded(audits.read_challenge, challenge(idle_prove=idle_proof))


READERS: list[tuple[Callable[[Cursor], object], bytes]] = [
    (files.read_file, values.encoded_file(values.file_of(2))),
    (files.read_deal, values.encoded_deal(values.DEAL)),
    (files.read_held, values.encoded_held(values.HELD)),
    (files.read_restoral_order, values.encoded_order(values.ORDER)),
    (miners.read_miner, values.encoded_miner(values.miner_of())),
    (audits.read_challenge, challenge()),
    (territories.read_operators, encoded("CessOperators", [hexed(b"\x01" * 32)])),
]


@pytest.mark.parametrize(("read", "data"), READERS, ids=lambda each: getattr(each, "__name__", ""))
def test_what_is_cut_or_too_long_is_refused(read: Callable[[Cursor], object], data: bytes) -> None:
    """No beginning of a value is one, and nothing may follow it."""
    decoded(read, data)
    for end in sorted({0, 1, 16, 17, 32, 80, *range(max(0, len(data) - 70), len(data), 3)}):
        with pytest.raises(Malformed):
            decoded(read, data[: min(end, len(data) - 1)])
    with pytest.raises(Malformed):
        decoded(read, data + b"\x00")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(READERS), st.data())
def test_altered_bytes_are_read_or_refused(
    reader: tuple[Callable[[Cursor], object], bytes], data: st.DataObject
) -> None:
    """Whatever stands in state, it is a value or Malformed, never another error."""
    read, good = reader
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + data.draw(st.binary(min_size=1, max_size=6)) + good[at + 1 :]
    try:
        decoded(read, bad)
    except Malformed:
        return


@given(st.binary(max_size=200), st.sampled_from([each for each, _ in READERS]))
def test_random_bytes_are_refused(data: bytes, read: Callable[[Cursor], object]) -> None:
    """Random bytes cost no memory and raise nothing but Malformed."""
    try:
        decoded(read, data)
    except Malformed:
        return


def test_lengths_are_bounded() -> None:
    """A length above the chain's own bound is refused before anything is read."""
    too_many = encoded("CessOperators", [hexed(b"\x01" * 32)] * 21)
    too_long = values.encoded_miner(replace(values.miner_of(), endpoint=b"x" * 101))
    with pytest.raises(Malformed):
        decoded(territories.read_operators, too_many)
    with pytest.raises(Malformed):
        decoded(miners.read_miner, too_long)
    with pytest.raises(Malformed):
        decoded(files.read_held, b"\xfe\xff\xff\xff")


@pytest.mark.parametrize("text", ["fe03", "0200", "02000000", "03", "0300000000", "13ffffffffffffffff", ""])
def test_a_length_has_one_form(text: str) -> None:
    """Lengths that are not in their shortest form, or of integers larger than any, are refused."""
    with pytest.raises(Malformed):
        Cursor(bytes.fromhex(text)).length(1 << 20)


@pytest.mark.parametrize(
    ("text", "expected"), [("00", 0), ("fc", 63), ("0101", 64), ("fdff", 16_383), ("02000100", 16_384)]
)
def test_lengths_are_compact_integers(text: str, expected: int) -> None:
    """The forms that SCALE's specification gives."""
    assert expected == Cursor(bytes.fromhex(text)).length(1 << 20)


def test_a_segment_has_twelve_fragments() -> None:
    """A file or a deal with other segments is none."""
    file = values.file_of()
    short = replace(file.segments[0], fragments=file.segments[0].fragments[:11])
    with pytest.raises(Malformed):
        decoded(files.read_file, values.encoded_file(replace(file, segments=(short,))))
    part = replace(values.DEAL.segments[0], fragments=values.DEAL.segments[0].fragments[:11])
    with pytest.raises(Malformed):
        decoded(files.read_deal, values.encoded_deal(replace(values.DEAL, segments=(part,))))


@pytest.mark.parametrize("index", [0, 13, 255])
def test_a_report_is_of_one_of_twelve(index: int) -> None:
    """Reports are counted from 1."""
    report = replace(values.DEAL.reports[0], index=index)
    with pytest.raises(Malformed):
        decoded(files.read_deal, values.encoded_deal(replace(values.DEAL, reports=(report,))))


@pytest.mark.parametrize("text", [b"A" * 64, b"g" * 64, b"\xff" * 64, b" " * 64])
def test_a_digest_is_small_hexadecimal_text(text: bytes) -> None:
    """Who declares a file chooses those 64 bytes; other text names no content."""
    with pytest.raises(Malformed):
        Cursor(text).hash_text()


def test_an_unknown_state_of_a_miner_is_refused() -> None:
    """A state that is not known could mean anything."""
    data = values.encoded_miner(values.miner_of()).replace(b"positive", b"thriving")
    with pytest.raises(Malformed):
        decoded(miners.read_miner, data)


def test_names_stay_out_of_texts() -> None:
    """What owners called their files and territories does not show when a value is printed."""
    told = repr((values.file_of(), values.DEAL, values.HELD, values.miner_of()))
    assert not any(name in told for name in ("pack-0001", "records", "miner.example"))
