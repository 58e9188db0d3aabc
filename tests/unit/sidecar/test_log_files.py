"""Log files: in JSON or text, set aside when large, shared by processes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ocw_sidecar.log_files import LogFile

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import sys, structlog
from pathlib import Path
from ocw_sidecar import logs
from ocw_sidecar.settings import Settings
settings = Settings.load(home=Path(sys.argv[1]), organisation="0x" + "01" * 32, logs={"format": sys.argv[2]})
logs.configure(settings, name=logs.BACKGROUND_FILE, level=40)
log = structlog.get_logger()
log.debug("too_small")
log.info("something_happened", count=7)
log.error("went_wrong", reason="CODE")
"""


@pytest.mark.parametrize("kind", ["json", "text"])
def test_the_file_has_more_than_the_stream(tmp_path: Path, kind: str) -> None:
    """Information and errors go to the file, errors alone to standard error here."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path, kind], capture_output=True, text=True, check=True
    )
    lines = (tmp_path / "logs/background_tasks.log").read_text().splitlines()
    assert (2, 1) == (len(lines), len(done.stderr.splitlines()))
    if kind == "json":
        assert [("something_happened", 7), ("went_wrong", None)] == [
            ((event := json.loads(line))["event"], event.get("count")) for line in lines
        ]
    else:
        assert ["count=7" in lines[0], "reason=CODE" in lines[1]] == [True, True]


def test_a_log_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    """What is logged goes to the stream all the same."""
    (tmp_path / "logs").write_text("in the way")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path, "json"], capture_output=True, text=True, check=True
    )
    assert "went_wrong" in done.stderr


def test_large_files_are_set_aside(tmp_path: Path) -> None:
    """The youngest first, so many and no more; nothing is readable by others."""
    file = LogFile(tmp_path / "log", 100, 3)
    for number in range(100):
        file.append(f"line {number:04}")
    assert ["log.3", "log.2", "log.1", "log"] == [path.name for path in file.files()]
    assert all(path.stat().st_size <= 100 for path in file.files())
    assert "line 0099" == (tmp_path / "log").read_text().splitlines()[-1]
    assert {0o600} == {path.stat().st_mode & 0o777 for path in file.files()}
