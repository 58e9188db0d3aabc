"""The gateway's own disk is full from a job's Nth write on, for every N: it says so, and goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TIMEOUT_S = 400.0


def test_a_full_disk_is_told_and_got_over(tmp_path: Path) -> None:
    """Every answer is a good one or 507; what was acknowledged is read, and nothing else stays anywhere."""
    library, gateways, nodes = tmp_path / "full_disk.so", tmp_path / "gateways", tmp_path / "nodes"
    gateways.mkdir()
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, HERE / "full_disk.c", "-ldl"],
        check=True,
    )
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.full_gateway_process", gateways, nodes],
        cwd=HERE.parents[1],
        env=dict(os.environ) | {"LD_PRELOAD": str(library), "FULL_DISK_BELOW": str(gateways)},
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    shutil.rmtree(nodes, ignore_errors=True)
    assert 0 == done.returncode, done.stderr.decode()
    assert int(done.stdout.split()[-1]) > 30
