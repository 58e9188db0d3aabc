"""The form in which every bench tells its figures: one JSON object a line."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: More would pretend that a second run gives the same.
DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound that a figure is to keep."""

    bound: float
    is_most: bool

    def met(self, value: float) -> bool:
        """Tell whether a figure keeps the bound."""
        return value <= self.bound if self.is_most else value >= self.bound

    def __str__(self) -> str:
        return f"{'<=' if self.is_most else '>='} {self.bound:g}"


def at_least(bound: float) -> Goal:
    """Return the goal of figures that should be high."""
    return Goal(bound, is_most=False)


def at_most(bound: float) -> Goal:
    """Return the goal of figures that should be low."""
    return Goal(bound, is_most=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One figure."""

    bench: str
    name: str
    value: float
    unit: str
    anchor: str  #: what the figure can be compared with
    goal: Goal | None = None

    def as_json(self) -> str:
        """Return the line as it is printed; `goal` and `met` are null where there is no goal."""
        return json.dumps(
            {
                "bench": self.bench,
                "name": self.name,
                "value": float(f"{self.value:.{DIGITS}g}"),
                "unit": self.unit,
                "goal": None if self.goal is None else str(self.goal),
                "met": None if self.goal is None else self.goal.met(self.value),
                "anchor": self.anchor,
            }
        )


def machine() -> str:
    """Return the machine's processor and its cores, for figures that depend on them."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return f"{models[0] if models else 'unknown processor'}, {os.cpu_count()} cores"
