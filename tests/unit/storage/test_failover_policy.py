"""What failover decides, without a network and without waiting."""

from __future__ import annotations

from dataclasses import replace

import pytest

from caregrid.errors import (
    CaregridError,
    ConfigInvalid,
    FileIdMismatch,
    FragmentsMissing,
    InputInvalid,
    ObjectUnknown,
    ProtocolViolation,
    RateLimited,
    StorageUnreachable,
    TerritoryUnusable,
    Unauthorised,
)
from caregrid.storage.failover import Circuit, FailoverPolicy, GatewayHealth
from caregrid.storage.failover.health import ranked
from caregrid.storage.failover.policy import Verdict

POLICY = FailoverPolicy(failures_to_open=2, open_for_s=5.0, open_at_most_s=30.0)
T0 = 1000.0
GOOD = GatewayHealth(latency_s=0.1, measured_at=T0)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (StorageUnreachable(), Verdict.FAULT),
        (ProtocolViolation(), Verdict.FAULT),
        (FileIdMismatch(), Verdict.FAULT),
        (RateLimited(), Verdict.BUSY),
        (ObjectUnknown(), Verdict.ELSEWHERE),
        (FragmentsMissing(), Verdict.ELSEWHERE),
        (Unauthorised(), Verdict.ELSEWHERE),
        (InputInvalid(), Verdict.FINAL),
        (TerritoryUnusable(), Verdict.FINAL),
        (ConfigInvalid(), Verdict.FINAL),
    ],
)
def test_verdicts(error: CaregridError, expected: Verdict) -> None:
    """A gateway's own faults are told from what every gateway would say."""
    assert expected is POLICY.verdict(error)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([ObjectUnknown(), StorageUnreachable()], StorageUnreachable),
        ([ObjectUnknown(), RateLimited()], RateLimited),
        ([ObjectUnknown(), ObjectUnknown()], ObjectUnknown),
        ([ObjectUnknown(), FragmentsMissing()], FragmentsMissing),
        ([ObjectUnknown(), Unauthorised()], Unauthorised),
        ([FileIdMismatch(), StorageUnreachable()], StorageUnreachable),
        ([InputInvalid()], InputInvalid),
    ],
)
def test_conclusions(errors: list[CaregridError], expected: type[CaregridError]) -> None:
    """Nothing is said to be unknown or lost for good while a gateway that might know better is down."""
    assert expected is type(POLICY.conclusion(errors))


def test_a_circuit_opens_and_is_tried_again() -> None:
    """Failures in a row open it, each failed trial for twice as long, up to a limit; an answer closes it."""
    health = GOOD.failed(POLICY, T0)
    assert Circuit.CLOSED is health.circuit(POLICY, T0)
    health = health.failed(POLICY, T0)
    for pause_s in (5.0, 10.0, 20.0, 30.0, 30.0):
        assert Circuit.OPEN is health.circuit(POLICY, T0 + pause_s - 0.1)
        assert Circuit.TRIAL is health.circuit(POLICY, T0 + pause_s)
        health = health.failed(POLICY, T0)
    closed = health.answered()
    assert (Circuit.CLOSED, 0) == (closed.circuit(POLICY, T0), closed.failures)


def test_only_one_request_is_the_trial() -> None:
    """While one request finds out, others go elsewhere."""
    health = GOOD.failed(POLICY, T0).failed(POLICY, T0)
    assert Circuit.OPEN is health.tried(POLICY, T0 + 5).circuit(POLICY, T0 + 5)


def test_endless_failures_do_not_overflow() -> None:
    """The doubling stops long before numbers do."""
    assert replace(GOOD, failures=100_000).failed(POLICY, T0).open_until == T0 + 30


def test_latency_is_a_moving_average() -> None:
    """New measurements count by their weight, the first one wholly; being overtaken counts as at least so."""
    health = GatewayHealth().measured(POLICY, T0, 1.0)
    assert health.latency_s == 1.0
    assert pytest.approx(1.2) == health.measured(POLICY, T0, 2.0).latency_s
    assert pytest.approx(2.8) == health.overtaken(POLICY, T0, 10.0).latency_s
    assert health.latency_s == health.overtaken(POLICY, T0, 0.1).latency_s


def test_busy_gateways_are_left_alone_for_a_bounded_time() -> None:
    """Retry-After is honoured, within reason, and never shortened by a later answer."""
    health = GOOD.busy(POLICY, T0, 7)
    assert health.is_busy(T0 + 6.9)
    assert not health.is_busy(T0 + 7)
    assert health.busy(POLICY, T0, 1) == health
    assert GOOD.busy(POLICY, T0, 1e9).busy_until == T0 + POLICY.busy_at_most_s


SLOW = GatewayHealth(latency_s=0.5, measured_at=T0)
OLD = replace(SLOW, measured_at=T0 - POLICY.latency_lasts_s)
NEW = GatewayHealth()
SHAKY = GOOD.failed(POLICY, T0)
OPEN = SHAKY.failed(POLICY, T0)
TRIAL = replace(OPEN, open_until=T0 - 1)
BUSY = GOOD.busy(POLICY, T0, 5)


@pytest.mark.parametrize(
    ("healths", "reads", "expected"),
    [
        ([GOOD, GOOD], True, [0, 1]),
        ([SLOW, GOOD], True, [1, 0]),
        ([GOOD, NEW], True, [1, 0]),
        ([GOOD, OLD], True, [1, 0]),
        ([SHAKY, SLOW], True, [0, 1]),
        ([OPEN, SHAKY], True, [1, 0]),
        ([BUSY, OPEN, SLOW, GOOD], True, [3, 2, 1, 0]),
        ([GOOD, TRIAL], True, [1, 0]),
        ([TRIAL, SHAKY], False, [1, 0]),
    ],
)
def test_ranking(healths: list[GatewayHealth], reads: bool, expected: list[int]) -> None:  # noqa: FBT001 - a parameter
    """Fast before slow, those left out late; a trial is for reads, which are hedged; busy ones come last."""
    assert expected == ranked(healths, POLICY, T0, reads=reads)


def test_the_hedge_waits_as_long_as_most_reads_take() -> None:
    """Fixed when it is set; otherwise the quantile of what was measured, if that is enough; with a floor."""
    samples = [0.1] * 94 + [2.0] * 6
    assert POLICY.hedge_default_s == POLICY.hedge_delay_s(samples[:19])
    assert POLICY.hedge_delay_s(samples) == 2.0
    assert POLICY.hedge_delay_s([0.001] * 50) == POLICY.hedge_floor_s
    assert replace(POLICY, hedge_after_s=0.3).hedge_delay_s(samples) == 0.3


@pytest.mark.parametrize(
    "change", [{"failures_to_open": 0}, {"latency_weight": 0.0}, {"hedge_quantile": 1.0}]
)
def test_senseless_policies_are_refused(change: dict[str, float]) -> None:
    """Settings that would switch a mechanism off by accident are told."""
    with pytest.raises(ConfigInvalid):
        replace(POLICY, **change)  # type: ignore[arg-type]
