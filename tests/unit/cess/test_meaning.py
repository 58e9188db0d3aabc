"""What is made of the chain's values: placement, territories, audit outcomes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.cess import (
    CessChallenge,
    CessHead,
    CessTerritory,
    CessTerritoryState,
    MinerAudit,
    MinerState,
    ServiceProof,
    fragments_of,
    miners_of,
    placement_of,
    reading_of,
    space_of,
)
from caregrid.chain.port import AuditOutcome
from caregrid.errors import InputEmpty, ObjectTooLarge, TerritoryUnusable
from caregrid.storage.port import Placement
from caregrid.storage.territory import TerritoryConcern, TerritoryState
from tests.unit.cess import values

MIB = 1 << 20
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HEAD = CessHead(number=1_000, hash=b"\x01" * 32, time=NOW, spec_version=133)
MINERS = {values.account(index): values.miner_of() for index in range(12)}
TERRITORY = CessTerritory(
    token=b"\x02" * 32,
    total=100 * 96 * MIB,
    used=90 * 96 * MIB,
    locked=7 * 96 * MIB,
    remaining=3 * 96 * MIB,
    start=1,
    deadline=1_000 + 14_400,
    state=CessTerritoryState.ACTIVE,
)

# Placement.


def test_a_file_on_twelve_positive_miners_is_whole() -> None:
    """Twelve fragments live, on twelve nodes."""
    assert Placement(needed=4, total=12, living=12, nodes=12) == placement_of(values.file_of(2), MINERS)


def test_what_is_lost_does_not_live() -> None:
    """A fragment that its holder has given up, and those of miners that left, do not count."""
    miners = MINERS | {values.account(0): values.miner_of(MinerState.EXIT)}
    del miners[values.account(1)]
    placement = placement_of(values.file_of(lost=frozenset({1, 2, 3})), miners)
    assert Placement(needed=4, total=12, living=8, nodes=8) == placement


@pytest.mark.parametrize("state", MinerState)
def test_who_is_liable_counts(state: MinerState) -> None:
    """A miner that is audited and whose collateral stands holds its fragments; another does not."""
    holds = state in {MinerState.POSITIVE, MinerState.FROZEN, MinerState.LOCK}
    miners = MINERS | {values.account(5): values.miner_of(state)}
    assert 11 + holds == placement_of(values.file_of(), miners).living


def test_the_worst_segment_counts() -> None:
    """Two fragments of a segment on one miner are one node; the segment with fewest fragments decides."""
    file = values.file_of(2)
    first, second = file.segments
    doubled = replace(second.fragments[1], miner=values.account(0))
    dead = replace(second.fragments[2], available=False)
    second = replace(second, fragments=(second.fragments[0], doubled, dead, *second.fragments[3:]))
    placement = placement_of(replace(file, segments=(first, second)), MINERS)
    assert Placement(needed=4, total=12, living=11, nodes=10) == placement


def test_a_node_is_a_cess_address() -> None:
    """Fragments name their miner as CESS writes accounts: a known key has its known address."""
    key = bytes.fromhex("46ebddef8cd9bb167dc30878d7113b7e168e6f0646beffd77d69d39bad76b47a")
    file = values.file_of()
    fragment = replace(file.segments[0].fragments[0], miner=key)
    segment = replace(file.segments[0], fragments=(fragment, *file.segments[0].fragments[1:]))
    [found] = fragments_of(replace(file, segments=(segment,)), MINERS)
    assert "cXgaee2N8E77JJv9gdsGAckv1Qsf3hqWYf7NL4q6ZuQzuAUtB" == found.fragments[0].node
    assert (False, True) == (found.fragments[0].living, found.fragments[1].living)
    assert list(range(12)) == [each.index for each in found.fragments]
    assert fragment.digest == found.fragments[0].digest


def test_miners_are_listed_once() -> None:
    """A file of many segments has twelve miners."""
    assert tuple(values.account(index) for index in range(12)) == miners_of(values.file_of(5))


# Territories.


@pytest.mark.parametrize(
    ("size", "segments"), [(1, 1), (32 * MIB, 1), (32 * MIB + 1, 2), (1_000 * 32 * MIB, 1_000)]
)
def test_a_file_takes_three_times_its_padded_size(size: int, segments: int) -> None:
    """96 MiB a segment."""
    assert segments * 96 * MIB == space_of(size)


def test_impossible_files_take_no_space() -> None:
    """An empty file and one with too many segments are refused."""
    with pytest.raises(InputEmpty):
        space_of(0)
    with pytest.raises(ObjectTooLarge):
        space_of(1_000 * 32 * MIB + 1)


def test_more_than_the_files_space_must_be_left() -> None:
    """The chain compares strictly: three segments' space takes two segments."""
    TERRITORY.require_room(64 * MIB, HEAD, name="records")
    with pytest.raises(TerritoryUnusable, match="expand"):
        TERRITORY.require_room(64 * MIB + 1, HEAD, name="records")


@pytest.mark.parametrize("state", list(CessTerritoryState)[1:])
def test_only_an_active_territory_takes_files(state: CessTerritoryState) -> None:
    """A frozen, expired or offered territory refuses, and says what it is."""
    with pytest.raises(TerritoryUnusable, match=state.value):
        replace(TERRITORY, state=state).require_room(1, HEAD, name="records")


def test_a_territory_past_its_deadline_takes_nothing() -> None:
    """The last block is good, the next is not, even before the chain has frozen the territory."""
    replace(TERRITORY, deadline=1_000).require_room(1, HEAD, name="records")
    with pytest.raises(TerritoryUnusable, match="renew"):
        replace(TERRITORY, deadline=999).require_room(1, HEAD, name="records")


def test_a_territory_warns_in_the_ports_words() -> None:
    """Its deadline becomes a time; space and expiry warn by the port's limits."""
    territory = TERRITORY.as_of(HEAD, name="records")
    assert NOW + timedelta(days=1) == territory.deadline
    assert (TERRITORY.total, 97 * 96 * MIB, 3 * 96 * MIB) == (
        territory.total,
        territory.used,
        territory.remaining,
    )
    concerns = [each.concern for each in territory.warnings(NOW)]
    assert [TerritoryConcern.EXPIRY, TerritoryConcern.SPACE] == concerns
    frozen = replace(TERRITORY, state=CessTerritoryState.FROZEN).as_of(HEAD, name="records")
    assert TerritoryState.FROZEN is frozen.state
    with pytest.raises(TerritoryUnusable, match="withdraw"):
        replace(TERRITORY, state=CessTerritoryState.ON_CONSIGNMENT).as_of(HEAD, name="records")


# Audits. The fragment was tagged at block 6,000; the challenge began at 6,100.

FRAGMENT = values.file_of().segments[0].fragments[0]
CHALLENGE = CessChallenge(
    start=6_100, idle_deadline=6_180, service_deadline=6_150, verification_deadline=6_800, proof=None
)
CLEAN = MinerAudit(failed=0, missed=0, challenge=None)


def proved(*, verdict: bool | None) -> MinerAudit:
    """Return an audit with a proof for the challenge."""
    return replace(CLEAN, challenge=replace(CHALLENGE, proof=ServiceProof(verdict=verdict)))


@pytest.mark.parametrize(
    ("audit", "at", "outcome", "covers"),
    [
        pytest.param(proved(verdict=True), 6_120, AuditOutcome.PASSED, True, id="verified"),
        pytest.param(proved(verdict=False), 6_120, AuditOutcome.FAILED, True, id="wrong"),
        pytest.param(proved(verdict=None), 6_120, AuditOutcome.UNKNOWN, True, id="not verified yet"),
        pytest.param(
            replace(proved(verdict=True), failed=1), 6_120, AuditOutcome.PASSED, True, id="better again"
        ),
        pytest.param(
            replace(CLEAN, challenge=CHALLENGE), 6_149, AuditOutcome.PASSED, False, id="still has time"
        ),
        pytest.param(replace(CLEAN, challenge=CHALLENGE), 6_150, AuditOutcome.CONTAINED, True, id="late"),
        pytest.param(
            replace(CLEAN, missed=1, challenge=CHALLENGE), 6_179, AuditOutcome.OFFLINE, True, id="late again"
        ),
        pytest.param(
            replace(CLEAN, missed=1, challenge=CHALLENGE), 6_180, AuditOutcome.CONTAINED, True, id="counted"
        ),
        pytest.param(
            replace(CLEAN, missed=2, challenge=CHALLENGE),
            6_180,
            AuditOutcome.OFFLINE,
            True,
            id="counted twice",
        ),
        pytest.param(CLEAN, 7_000, AuditOutcome.PASSED, False, id="earlier proof"),
        pytest.param(replace(CLEAN, failed=1), 7_000, AuditOutcome.FAILED, False, id="earlier wrong proof"),
        pytest.param(replace(CLEAN, missed=1), 7_000, AuditOutcome.CONTAINED, False, id="missed once"),
        pytest.param(replace(CLEAN, missed=2), 7_000, AuditOutcome.OFFLINE, False, id="missed twice"),
        pytest.param(replace(CLEAN, failed=None), 7_000, AuditOutcome.UNKNOWN, False, id="never verified"),
    ],
)
def test_the_chains_record_maps_to_outcomes(
    audit: MinerAudit,
    at: int,
    outcome: AuditOutcome,
    covers: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Each state of a miner's audits has its outcome, and says whether it covers the fragment."""
    reading = reading_of(FRAGMENT, values.miner_of(), audit, at)
    assert (outcome, covers) == (reading.outcome, reading.covers)


def test_what_is_not_tagged_is_not_audited() -> None:
    """No verdict on the miner's other fragments says anything of one without a tag."""
    fragment = replace(FRAGMENT, tag_block=None)
    for audit in (CLEAN, proved(verdict=True), proved(verdict=False)):
        assert AuditOutcome.UNKNOWN is reading_of(fragment, values.miner_of(), audit, 6_120).outcome


def test_a_challenge_from_before_the_tag_does_not_cover() -> None:
    """A verdict on a challenge that was open when the fragment was tagged is not about it."""
    fragment = replace(FRAGMENT, tag_block=6_101)
    for verdict in (True, False, None):
        reading = reading_of(fragment, values.miner_of(), proved(verdict=verdict), 6_120)
        assert (AuditOutcome.PASSED, False) == (reading.outcome, reading.covers)
    assert reading_of(
        replace(FRAGMENT, tag_block=6_100), values.miner_of(), proved(verdict=True), 6_120
    ).covers


def test_a_miner_that_left_is_offline_and_a_reported_loss_is_one() -> None:
    """Who is gone cannot answer; who says that it lost the fragment need not be asked."""
    assert AuditOutcome.OFFLINE is reading_of(FRAGMENT, None, CLEAN, 7_000).outcome
    for state in (MinerState.EXIT, MinerState.OFFLINE, MinerState.NOT_READY):
        assert AuditOutcome.OFFLINE is reading_of(FRAGMENT, values.miner_of(state), CLEAN, 7_000).outcome
    lost = replace(FRAGMENT, available=False)
    assert AuditOutcome.FAILED is reading_of(lost, values.miner_of(), CLEAN, 7_000).outcome


@given(
    tag=st.integers(0, 6_200),
    at=st.integers(6_100, 7_000),
    missed=st.integers(0, 99),
    failed=st.sampled_from([None, 0]),
    verdict=st.sampled_from([None, True]),
    answered=st.booleans(),
)
def test_an_outage_condemns_nobody(
    *,
    tag: int,
    at: int,
    missed: int,
    failed: int | None,
    verdict: bool | None,
    answered: bool,
) -> None:
    """Without a proof that was found wrong, nothing that a miner misses makes it fail."""
    proof = ServiceProof(verdict=verdict) if answered else None
    audit = MinerAudit(failed=failed, missed=missed, challenge=replace(CHALLENGE, proof=proof))
    reading = reading_of(replace(FRAGMENT, tag_block=tag), values.miner_of(), audit, at)
    assert AuditOutcome.FAILED is not reading.outcome
