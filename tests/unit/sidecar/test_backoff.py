"""Retry policies decide without sleeping."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from caregrid.errors import CallRejected, ChainTimeout, DigestMismatch, StorageUnreachable
from ocw_sidecar.pipeline.backoff import PASSING_FAULT, REFUSAL, Backoff, GiveUp, RetryAt
from ocw_sidecar.pipeline.faults import policy_for, reason_of

T0 = datetime(2030, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def never() -> float:
    """Draw no jitter."""
    return 0.0


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (1, RetryAt(T0 + SECOND)),
        (2, RetryAt(T0 + 2 * SECOND)),
        (4, RetryAt(T0 + 8 * SECOND)),
        (7, RetryAt(T0 + MINUTE)),
        (9, RetryAt(T0 + MINUTE)),
        (10, GiveUp()),
        (11, GiveUp()),
    ],
)
def test_delays_double_up_to_the_cap_then_end(attempt: int, expected: RetryAt | GiveUp) -> None:
    """The table of delays is base, doubled, capped, and then none."""
    policy = Backoff(base=SECOND, cap=MINUTE, jitter=0.5, max_attempts=10)
    assert expected == policy.decide(attempt=attempt, now=T0, draw=never)


def test_jitter_only_shortens() -> None:
    """Chance takes away up to its part of a delay, never adds to the cap."""
    policy = Backoff(base=SECOND, cap=MINUTE, jitter=0.5, max_attempts=None)
    assert RetryAt(T0 + 4 * SECOND) == policy.decide(attempt=4, now=T0, draw=lambda: 1.0)
    assert RetryAt(T0 + 6 * SECOND) == policy.decide(attempt=4, now=T0, draw=lambda: 0.5)


def test_drawn_jitter_stays_within_bounds() -> None:
    """With real chance a delay lies between the jittered and the plain one."""
    policy = Backoff(base=SECOND, cap=MINUTE, jitter=0.5, max_attempts=None)
    delays = {
        decision.at - T0
        for _ in range(50)
        if isinstance(decision := policy.decide(attempt=1, now=T0), RetryAt)
    }
    assert all(SECOND / 2 <= delay <= SECOND for delay in delays)
    assert len(delays) > 1


def test_outages_of_any_length_are_waited_out() -> None:
    """A passing fault never turns a record into a dead letter, however often it comes back."""
    assert RetryAt(T0 + MINUTE) == PASSING_FAULT.decide(attempt=10**6, now=T0, draw=never)


@pytest.mark.parametrize(
    "change",
    [
        {"base": timedelta(0)},
        {"cap": timedelta(milliseconds=1)},
        {"jitter": 1.1},
        {"max_attempts": 0},
    ],
)
def test_nonsense_is_refused(change: dict[str, Any]) -> None:
    """A policy that makes no sense cannot be built."""
    with pytest.raises(ValueError, match=r"must"):
        Backoff(**{"base": SECOND, "cap": MINUTE, "jitter": 0.0, "max_attempts": 1, **change})


@pytest.mark.parametrize(
    ("fault", "policy", "reason"),
    [
        (StorageUnreachable(), PASSING_FAULT, "STORAGE_UNREACHABLE"),
        (ChainTimeout(), PASSING_FAULT, "CHAIN_TIMEOUT"),
        (OSError(5, "quotes content"), PASSING_FAULT, "UNEXPECTED"),
        (DigestMismatch(), REFUSAL, "DIGEST_MISMATCH"),
        (CallRejected(pallet="Emr", name="NotOperator"), REFUSAL, "CALL_REJECTED:Emr.NotOperator"),
        (RuntimeError("quotes content"), REFUSAL, "UNEXPECTED"),
    ],
)
def test_faults_map_to_policies_and_constant_reasons(fault: Exception, policy: Backoff, reason: str) -> None:
    """Outages are waited out, refusals tried a few times, and no message of a fault is kept."""
    assert policy is policy_for(fault)
    assert reason == reason_of(fault)
