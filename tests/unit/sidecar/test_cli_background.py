"""The background commands without a chain: flags, exit codes, what is printed."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocw_sidecar.adapters.opening import QUEUE_FILE
from tests.command_line import Answer, caregrid

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[3]
#: Nobody listens there.
NOWHERE = "ws://127.0.0.1:9"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A sidecar's configuration without keys, of a chain that is away."""
    path = tmp_path / "sidecar.toml"
    lines = [
        f'home = "{tmp_path / "home"}"',
        f'organisation = "0x{"01" * 32}"',
        f'chain_urls = ["{NOWHERE}"]',
        'gateway_url = "http://127.0.0.1:9"',
    ]
    path.write_text("\n".join(lines) + "\n")
    (tmp_path / "home").mkdir(mode=0o700)
    return path


def run(config: Path, *words: object) -> Answer:
    """Run a command with JSON."""
    return caregrid(*words, "--config", config, "--json")


def parts(answer: Answer) -> dict[str, Any]:
    """Return the parts of a report by their names."""
    return {each["part"]: each for each in answer.json["parts"]}


@pytest.mark.parametrize(
    "words",
    [
        ["cleanup-expired-blocks", "--local-only", "--force"],
        ["cleanup-expired-blocks", "--nonsense"],
        ["cleanup-expired-blocks", "-v", "4"],
        ["sync-blockchain", "--patients-only", "--blocks-only"],
        ["sync-blockchain", "--stats", "--dry-run"],
        ["sync-blockchain", "--stats", "--signatures-only"],
        ["sync-blockchain", "--max-retries", "-1"],
        ["run-background-tasks", "extra"],
    ],
)
def test_a_wrong_command_line_is_told_with_the_usage(config: Path, words: Sequence[str]) -> None:
    """Exit code 2."""
    answer = caregrid(*words, "--config", config)
    assert (2, True) == (answer.exit_code, "Usage:" in answer.stderr)


def test_clean_up_without_a_chain(config: Path) -> None:
    """Local alone succeeds; with the chain part nothing is done, unless forced."""
    assert 0 == run(config, "threats", "block", "192.0.2.0/24", "--hours", 1).exit_code
    expire(config)
    refused = run(config, "cleanup-expired-blocks")
    assert (2, ["chain"]) == (refused.exit_code, list(parts(refused)))
    assert "CONFIG_INVALID" == parts(refused)["chain"]["reason"]
    dry = run(config, "cleanup-expired-blocks", "--local-only", "--dry-run")
    assert (0, 1, 0) == (dry.exit_code, parts(dry)["local"]["found"], parts(dry)["local"]["done"])
    forced = run(config, "cleanup-expired-blocks", "--force")
    assert (1, 1) == (forced.exit_code, parts(forced)["local"]["done"])
    again = run(config, "cleanup-expired-blocks", "--local-only")
    assert (0, 0) == (again.exit_code, parts(again)["local"]["found"])


def expire(config: Path) -> None:
    """Have every network's time be over."""
    path = config.parent / "home" / QUEUE_FILE
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE blocked_ips SET expires_at = 1")
        database.commit()


def test_synchronising_without_a_chain_fails_and_loses_nothing(config: Path) -> None:
    """Statistics tell what waits; a dry run needs no chain."""
    for number in range(3):
        run(config, "threats", "block", f"192.0.2.{number}")
    assert 2 == run(config, "sync-blockchain").exit_code
    assert (0, 3) == (
        (dry := run(config, "sync-blockchain", "--dry-run", "--blocks-only")).exit_code,
        parts(dry)["blocks"]["found"],
    )
    tables = {each["table"]: each for each in run(config, "sync-blockchain", "--stats").json["tables"]}
    assert {"patient_registrations", "blocked_ips", "attack_signatures"} == set(tables)
    assert (3, 0) == (tables["blocked_ips"]["pending"], tables["blocked_ips"]["failed"])


def test_everything_at_once_without_a_chain(config: Path) -> None:
    """Every task is tried; the local clean-up is done, so the failure is not complete."""
    answer = run(config, "run-background-tasks")
    assert (1, "partial") == (answer.exit_code, answer.json["result"])
    assert ["partial", "failure", "failure", "failure"] == [each["result"] for each in answer.json["tasks"]]
    script = subprocess.run(
        [sys.executable, ROOT / "scripts/run_background_tasks.py", "--config", config, "--json"],
        capture_output=True,
        check=False,
        env=os.environ,
    )
    assert (1, "partial") == (script.returncode, json.loads(script.stdout)["result"])


def test_verbosity(config: Path) -> None:
    """0 prints nothing but errors, 1 the result, 2 and 3 what was done, on standard error."""
    told = [
        caregrid("cleanup-expired-blocks", "--local-only", "-v", level, "--config", config)
        for level in range(4)
    ]
    assert [False, True, True, True] == [bool(each.stdout) for each in told]
    assert [False, False, True, True] == ["blocks_cleaned_up" in each.stderr for each in told]


def test_an_import_tells_broken_rows_by_line(config: Path, tmp_path: Path) -> None:
    """The others go on; the exit code says that there were some."""
    file = tmp_path / "blocks.csv"
    file.write_text("net,reason,hours\n192.0.2.0/24,Policy,1\nnonsense,Policy,1\n192.0.3.0/24,Policy,1\n")
    answer = run(config, "threats", "import", "blocks", file)
    assert (1, 3, 2, [3]) == (
        answer.exit_code,
        answer.json["rows"],
        answer.json["changed"],
        [each["line"] for each in answer.json["problems"]],
    )
    marks = tmp_path / "marks.jsonl"
    marks.write_text(json.dumps({"pattern": "GET /x", "format": "Regex", "severity": "Low"}) + "\n")
    done = run(config, "threats", "import", "signatures", marks)
    assert (0, 1) == (done.exit_code, done.json["changed"])
    missing = run(config, "threats", "import", "blocks", tmp_path / "nothing.csv")
    assert "INPUT_MISSING" == missing.error["error"]
    assert 0 != run(config, "threats", "import", "blocks", tmp_path / "nothing.txt").exit_code


def test_a_database_that_is_locked_is_a_complete_failure(config: Path) -> None:
    """Its part says so; exit code 2."""
    run(config, "sync-blockchain", "--stats")
    path = config.parent / "home" / QUEUE_FILE
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        answer = run(config, "cleanup-expired-blocks", "--local-only")
    assert (2, "DATABASE_UNREACHABLE") == (answer.exit_code, parts(answer)["local"]["reason"])
