"""The audit log: what was done to it is found; what happens to its process does not harm it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.errors import DiskLow
from ocw_sidecar.background.audit_log import FILE_NAME, KEEP, AuditLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2026, 6, 1, tzinfo=UTC)
WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from ocw_sidecar.background.audit_log import AuditLog
log = AuditLog(Path(sys.argv[1]), now=lambda: datetime.now(UTC))
for number in range(int(sys.argv[2])):
    log.append("task", "begun", {"number": number})
    if len(sys.argv) == 4:
        print(number, flush=True)
"""


def log_in(folder: Path, **bounds: int) -> AuditLog:
    """Return the log of a folder."""
    return AuditLog(folder, now=lambda: NOW, **bounds)


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    """A log of five entries."""
    made = log_in(tmp_path)
    for number in range(5):
        made.append("task", "success", {"done": number})
    return made


def test_what_is_written_can_be_read_and_checked(log: AuditLog, tmp_path: Path) -> None:
    """In order, with numbers; an empty log is sound, too."""
    assert (5, 1, None) == ((found := log.verify()).entries, found.first, found.problem)
    assert [3, 4] == [each["figures"]["done"] for each in log.entries(2)]
    assert [4] == [each["figures"]["done"] for each in log.entries(1)]
    assert (0, None, None) == ((none := log_in(tmp_path / "none").verify()).entries, none.first, none.problem)


def changed(lines: list[str]) -> list[str]:
    """Tell another result of the third entry."""
    return [*lines[:2], lines[2].replace("success", "failure"), *lines[3:]]


def rewritten(lines: list[str]) -> list[str]:
    """Likewise, with the digest of another entry."""
    entry = {**json.loads(lines[2]), "result": "failure", "digest": json.loads(lines[3])["digest"]}
    return [*lines[:2], json.dumps(entry) + "\n", *lines[3:]]


@pytest.mark.parametrize(
    ("tampering", "said"),
    [
        (changed, "line 3, was changed"),
        (rewritten, "line 3, was changed"),
        (lambda lines: [*lines[:2], *lines[3:]], "missing"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "missing"),
        (lambda lines: [lines[0], lines[0], *lines[1:]], "missing"),
        (lambda lines: [*lines[:2], "nonsense\n", *lines[3:]], "no entry"),
        (lambda lines: [*lines[:2], "[]\n", *lines[3:]], "no entry"),
    ],
)
def test_tampering_is_found(
    log: AuditLog, tmp_path: Path, tampering: Callable[[list[str]], list[str]], said: str
) -> None:
    """Changed, dropped, swapped, repeated, overwritten."""
    path = tmp_path / FILE_NAME
    path.write_text("".join(tampering(path.read_text().splitlines(keepends=True))))
    problem = log.verify().problem
    assert problem is not None
    assert said in problem


def test_a_line_that_a_crash_cut_short_is_removed(log: AuditLog, tmp_path: Path) -> None:
    """It was never acknowledged; the next entry follows the last whole one."""
    path = tmp_path / FILE_NAME
    path.write_bytes(path.read_bytes() + b'{"number": 6, "at"')
    log.append("task", "success")
    assert (6, None) == ((found := log.verify()).entries, found.problem)


def test_files_are_set_aside_and_the_chain_goes_on(tmp_path: Path) -> None:
    """Over all that are kept; the oldest go."""
    log = log_in(tmp_path, max_bytes=1_000)
    for number in range(200):
        log.append("task", "success", {"done": number})
    found = log.verify()
    assert KEEP + 1 == len([path for path in tmp_path.iterdir() if path.name.startswith(FILE_NAME)])
    assert (None, 200) == (found.problem, (found.first or 0) + found.entries - 1)


def test_several_threads_and_processes_write_one_chain(tmp_path: Path) -> None:
    """None overwrites another's entry."""
    log = log_in(tmp_path)
    others = [start(tmp_path, 50) for _ in range(2)]
    for other in others:
        assert other.stdout is not None
        other.stdout.close()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: log.append("task", "success", {"done": number}), range(50)))
    for other in others:
        assert 0 == other.wait(60)
    assert (150, None) == ((found := log.verify()).entries, found.problem)


def start(folder: Path, count: int, *more: str) -> subprocess.Popen[bytes]:
    """Start a process that writes."""
    command: list[str | Path] = [sys.executable, "-c", WRITER, folder, str(count), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ)


def test_a_killed_writer_leaves_what_it_acknowledged(tmp_path: Path) -> None:
    """Killed in the middle of many, the log is sound and has at least what was told."""
    process = start(tmp_path, 100_000, "aloud")
    assert process.stdout is not None
    with process.stdout:
        for _ in range(30):
            told = process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    log = log_in(tmp_path)
    log.append("task", "success")
    found = log.verify()
    assert found.problem is None
    assert int(told) + 2 <= found.entries


def test_a_full_disk_is_told_and_leaves_no_half_of_a_line(
    log: AuditLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was written; later it goes on."""
    before, real = (tmp_path / FILE_NAME).read_bytes(), os.write

    def full(handle: int, data: Any) -> int:
        if len(data) > 10:
            return real(handle, data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", lambda handle, data: full(handle, data[:20]))
    with pytest.raises(DiskLow):
        log.append("task", "success")
    monkeypatch.undo()
    assert before == (tmp_path / FILE_NAME).read_bytes()
    log.append("task", "success")
    assert log.verify().problem is None
