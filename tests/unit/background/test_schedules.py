"""The units and the crontab of the page: their commands exist, with the options that they give."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import caregrid

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/how-to/background-tasks.md"
UNITS = PAGE.parent / "systemd"


def commands() -> list[list[str]]:
    """Return the words of each command that something is scheduled with."""
    crontab = re.findall(r"^[*\d/ ]+ /opt/caregrid/bin/caregrid (.*)$", PAGE.read_text(), re.MULTILINE)
    units = re.findall(r"^ExecStart=/opt/caregrid/bin/caregrid (.*)$", unit("service"), re.MULTILINE)
    windows = re.findall(r'-Argument "(.*)"', PAGE.read_text())
    return [shlex.split(each) for each in [*crontab, *units, *windows]]


def unit(kind: str) -> str:
    """Return a unit's text."""
    return (UNITS / f"caregrid-background.{kind}").read_text()


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_scheduled_command_is_one(words: list[str], tmp_path: Path) -> None:
    """It gets as far as asking for its configuration, so its name and options are right."""
    nowhere = tmp_path / "none.toml"
    answer = caregrid(*words, "--config", nowhere)
    assert (2, False) == (answer.exit_code, "Usage:" in answer.stderr), answer.stderr
    assert "none.toml" in answer.stderr


def test_four_are_scheduled() -> None:
    """Two by cron, one by systemd, one on Windows."""
    assert 4 == len(commands())


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """By its own check, which wants the program to be there."""
    for kind in ("service", "timer"):
        text = unit(kind).replace("/opt/caregrid/bin/caregrid", sys.executable)
        (tmp_path / f"caregrid-background.{kind}").write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
