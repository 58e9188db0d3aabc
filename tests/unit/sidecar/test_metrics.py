"""What the sidecar counts of itself."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from ocw_sidecar.metrics import Metrics


def values(metrics: Metrics) -> dict[tuple[str, str], float]:
    """Return the samples by name and labels."""
    families = text_string_to_metric_families(metrics.render().decode())
    samples = [sample for family in families for sample in family.samples]
    return {(each.name, "/".join(sorted(each.labels.values()))): each.value for each in samples}


def test_runs_are_counted() -> None:
    """By worker; failures by code; the last success by time and height."""
    metrics = Metrics()
    metrics.run_ended("integrity", seconds=2.0, items={"checked": 3}, ended_at=1_000.0)
    metrics.succeeded_at("integrity", 150)
    metrics.run_failed("integrity", code="STORAGE_UNREACHABLE", seconds=1.0)
    metrics.paused("integrity", paused=True)
    found = values(metrics)
    expected = {
        ("caregrid_worker_runs_total", "integrity"): 1.0,
        ("caregrid_worker_items_total", "checked/integrity"): 3.0,
        ("caregrid_worker_failures_total", "STORAGE_UNREACHABLE/integrity"): 1.0,
        ("caregrid_worker_run_seconds_count", "integrity"): 2.0,
        ("caregrid_worker_last_success_timestamp_seconds", "integrity"): 1_000.0,
        ("caregrid_worker_last_success_height", "integrity"): 150.0,
        ("caregrid_worker_paused", "integrity"): 1.0,
    }
    assert expected == {key: found[key] for key in expected}


def test_an_endpoint_behind_the_cursor_is_no_lag() -> None:
    """Lag is what is still to be taken in, never less than nothing."""
    metrics = Metrics()
    metrics.clock(cursor=90, head=100)
    assert 10.0 == values(metrics)["caregrid_clock_lag_blocks", ""]
    metrics.clock(cursor=120, head=100)
    assert 0.0 == values(metrics)["caregrid_clock_lag_blocks", ""]


def test_two_sidecars_in_one_process_count_for_themselves() -> None:
    """Nothing is global."""
    one, two = Metrics(), Metrics()
    one.leads(leads=True)
    assert (1.0, 0.0) == (values(one)["caregrid_leader", ""], values(two)["caregrid_leader", ""])
