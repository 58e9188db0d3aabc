"""The lines that benches print, and how a bench is called."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.outsider.scale import compact
from tests.bench.chain import nodes
from tests.bench.lines import Goal, Line, at_least, at_most

ROOT = Path(__file__).resolve().parents[3]


def line(value: float = 1.0, goal: Goal | None = None) -> Line:
    """Return a figure."""
    return Line(bench="chain", name="rate", value=value, unit="1/s", anchor="one core", goal=goal)


def test_a_line_has_the_fixed_shape() -> None:
    """Programs that read the figures find the same fields in the same order in each."""
    expected = {
        "bench": "chain",
        "name": "rate",
        "value": 1235.0,
        "unit": "1/s",
        "goal": ">= 500",
        "met": True,
        "anchor": "one core",
    }
    text = line(1234.567, at_least(500)).as_json()
    assert expected == json.loads(text)
    assert list(expected) == list(json.loads(text))
    assert "\n" not in text


def test_a_line_without_a_goal_says_so() -> None:
    """No goal is null, and so is whether it is met."""
    told = json.loads(line().as_json())
    assert (None, None) == (told["goal"], told["met"])


@pytest.mark.parametrize(
    ("value", "goal", "met"),
    [
        (500, at_least(500), True),
        (499.99, at_least(500), False),
        (1, at_most(1), True),
        (1.0001, at_most(1), False),
    ],
)
def test_a_goal_is_met_up_to_its_bound(value: float, goal: Goal, met: bool) -> None:  # noqa: FBT001 - a table's column
    """The figure itself is compared with the goal, not what is left of it after rounding."""
    assert met == json.loads(line(value, goal).as_json())["met"]


@pytest.mark.parametrize("number", [0, 63, 64, 16_383, 16_384, (1 << 30) - 1])
def test_compact_integers_are_read_as_they_are_written(number: int) -> None:
    """Blocks are encoded, and weights decoded, with SCALE's three short modes."""
    assert (number, b"rest") == nodes.read_compact(compact(number) + b"rest")


def test_big_compact_integers_are_read() -> None:
    """Weights of full blocks do not fit into the short modes: 2^40 has six bytes."""
    assert (1 << 40, b"rest") == nodes.read_compact(bytes.fromhex("0b000000000001") + b"rest")


@pytest.mark.parametrize("arguments", [[], ["nonsense"]])
def test_a_bench_must_be_named(arguments: list[str]) -> None:
    """Without a known name nothing is built or measured: the names are listed, and the exit code is 2."""
    ended = subprocess.run(
        [ROOT / "scripts/bench", *arguments], capture_output=True, text=True, check=False, timeout=30
    )
    assert 2 == ended.returncode
    assert ["chain", "podr2", "seal", "sidecar", "storage", "tasks", "validation"] == ended.stdout.split()
