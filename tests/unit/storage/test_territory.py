"""What a territory warns of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from caregrid.storage import Territory, TerritoryConcern, TerritoryLimits, TerritoryState

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
GIB = 1024**3
FINE = Territory(
    name="caregrid",
    total=1000 * GIB,
    used=500 * GIB,
    remaining=500 * GIB,
    state=TerritoryState.ACTIVE,
    deadline=NOW + timedelta(days=30),
)


def concerns(territory: Territory, limits: TerritoryLimits | None = None) -> list[TerritoryConcern]:
    """Return what it warns of."""
    return [warning.concern for warning in territory.warnings(NOW, limits)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"deadline": None}, []),
        ({"remaining": 100 * GIB}, []),
        ({"remaining": 100 * GIB - 1}, [TerritoryConcern.SPACE]),
        ({"remaining": 0}, [TerritoryConcern.SPACE]),
        ({"deadline": NOW + timedelta(days=14)}, []),
        ({"deadline": NOW + timedelta(days=14, seconds=-1)}, [TerritoryConcern.EXPIRY]),
        ({"deadline": NOW - timedelta(days=1)}, [TerritoryConcern.EXPIRY]),
        ({"state": TerritoryState.FROZEN}, [TerritoryConcern.STATE]),
        (
            {"state": TerritoryState.EXPIRED, "remaining": 0, "deadline": NOW},
            [TerritoryConcern.STATE, TerritoryConcern.EXPIRY, TerritoryConcern.SPACE],
        ),
        ({"total": 40 * GIB, "used": 30 * GIB, "remaining": 10 * GIB - 1}, [TerritoryConcern.SPACE]),
        ({"total": GIB, "used": 0, "remaining": GIB}, []),
        ({"total": GIB, "used": GIB, "remaining": GIB // 2 - 1}, [TerritoryConcern.SPACE]),
        ({"total": 0, "used": 0, "remaining": 0}, []),
    ],
)
def test_warnings(change: dict[str, object], expected: list[TerritoryConcern]) -> None:
    """Each concern is raised at its threshold, the most urgent first."""
    assert expected == concerns(replace(FINE, **change))  # type: ignore[arg-type]


def test_limits_are_settings() -> None:
    """An operator who wants to know earlier sets other limits."""
    early = TerritoryLimits(remaining_share=0.6, before_deadline=timedelta(days=31))
    assert [TerritoryConcern.EXPIRY, TerritoryConcern.SPACE] == concerns(FINE, early)


def test_messages_say_what_to_do() -> None:
    """Days and space are given as an operator counts them."""
    near = replace(FINE, deadline=NOW + timedelta(days=3, hours=1), remaining=GIB)
    expiry, space = near.warnings(NOW)
    assert expiry.message == "territory caregrid ends in 3 days; renew it"
    assert space.message == "territory caregrid has 1.0 of 1000.0 GiB left; expand it"
    (frozen,) = replace(FINE, state=TerritoryState.FROZEN).warnings(NOW)
    assert "renew it now" in frozen.message


@pytest.mark.parametrize("change", [{"remaining": -1}, {"deadline": datetime(2026, 1, 1)}])  # noqa: DTZ001 - on purpose
def test_what_no_territory_is(change: dict[str, object]) -> None:
    """Negative space and times without a zone are refused."""
    with pytest.raises(ValueError, match=r"space|zone"):
        replace(FINE, **change)  # type: ignore[arg-type]
