"""The page about the reader says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from caregrid.cess import CessChain, chain, deadlines, heads, links

PAGE = Path(__file__).parents[3].joinpath("docs/reference/storage-cess.md").read_text("utf-8")


def test_every_deadline_is_on_the_page() -> None:
    """Each constant stands in the table, with its value."""
    named: dict[str, str] = {}
    for names, value in re.findall(r"^\| (`deadlines\..*?) \| (\S+)", PAGE, re.MULTILINE):
        named |= dict.fromkeys(re.findall(r"`(?:deadlines\.)?(\w+)`", names), value)
    expected = {name: value for name, value in vars(deadlines).items() if name.isupper()}
    expected["MAX_ANSWER"] //= 1024 * 1024
    del expected["CLOSE_TIMEOUT_S"]
    assert {name: f"{value:g}" for name, value in expected.items()} == named


def test_other_bounds_are_on_the_page() -> None:
    """Likewise."""
    assert f"| `links.MAX_LINKS` | {links.MAX_LINKS} |" in PAGE
    assert f"| `heads.MAX_LAG_BLOCKS` | {heads.MAX_LAG_BLOCKS} blocks |" in PAGE
    assert f"| `chain.MAX_HEAD_AGE` | {chain.MAX_HEAD_AGE.total_seconds() / 3_600:g} h |" in PAGE
    assert f"from runtime {heads.OLDEST_SPEC} on" in PAGE


def test_every_method_is_on_the_page() -> None:
    """And no other."""
    rows = re.findall(r"^\| (`\w+\(.*?\)`.*?) \|", PAGE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)\(", row)}
    assert {name for name in vars(CessChain) if not name.startswith("_")} - {"close"} == named
