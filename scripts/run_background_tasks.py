#!/usr/bin/env python3
"""Runs CareGrid's background tasks once, in sequence: `caregrid run-background-tasks` of this checkout."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Run the command of the checkout that this file is in."""
    sys.path[:0] = [str(ROOT), str(ROOT / "sdk")]
    from ocw_sidecar.cli.main import main as caregrid  # noqa: PLC0415 - found by the path above

    sys.argv[1:1] = ["run-background-tasks"]
    caregrid()


if __name__ == "__main__":
    main()
