"""What a file of a gibibyte takes of memory, in each process that it passes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench.processes import peak_of

if TYPE_CHECKING:
    from storage_network import LocalNetwork

_PIECE: Final = 16 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Peaks:
    """The most bytes that each held, and the seconds there and back."""

    client: int
    gateway: int
    node: int  #: the one that held most
    put_s: float
    get_s: float


def measure(network: LocalNetwork, folder: Path, size: int) -> Peaks:
    """Store a file and read it back, each by a process of its own."""
    source, target = folder / "large", folder / "large-back"
    with source.open("wb") as file:
        for _ in range(size // _PIECE):
            file.write(os.urandom(_PIECE))
    for pid in network.pids.values():
        # Begins a new peak: proc(5), /proc/pid/clear_refs.
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    put = _run(network.gateway_url, "put", str(source))
    get = _run(network.gateway_url, "get", str(put["object"]), str(target))
    assert size == target.stat().st_size
    peaks = {name: peak_of(pid) for name, pid in network.pids.items()}
    for file_ in (source, target):
        file_.unlink()
    return Peaks(
        client=max(put["peak"], get["peak"]),
        gateway=peaks.pop("gateway"),
        node=max(peaks.values()),
        put_s=put["seconds"],
        get_s=get["seconds"],
    )


def _run(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.storage.client", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict[str, Any](json.loads(done.stdout))
