"""The disk is full from a job's Nth write on, for every N: nothing acknowledged is lost or done twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TIMEOUT_S = 240.0


def test_no_write_is_missed(tmp_path: Path) -> None:
    """Each write, sync and allocation of the job fails once, and all those behind it until there is room."""
    library, homes = tmp_path / "full_disk.so", tmp_path / "homes"
    homes.mkdir()
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, HERE / "full_disk.c", "-ldl"],
        check=True,
    )
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.full_disk_process", homes],
        cwd=HERE.parents[1],
        env=dict(os.environ) | {"LD_PRELOAD": str(library), "FULL_DISK_BELOW": str(homes)},
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert 0 == done.returncode, done.stderr.decode()
    assert int(done.stdout.split()[-1]) > 50
