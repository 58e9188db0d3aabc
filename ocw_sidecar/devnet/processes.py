"""Processes that outlive the program that starts them, and are stopped by nobody's pid but their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from caregrid.errors import PortTaken
from storage_network.launch import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: A node flushes its database within a few seconds; past this it is killed.
STOP_TIMEOUT_S: Final = 20.0
#: Where the start time stands in /proc/PID/stat, counted behind the name (proc(5), field 22).
_START_FIELD: Final = 19
#: Our own children, which the kernel keeps as zombies until we collect them.
_CHILDREN: Final[dict[int, subprocess.Popen[bytes]]] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """One started process. Its start time tells it from another that got the same pid later."""

    name: str
    pid: int
    started: int  #: clock ticks since boot
    url: str

    @property
    def alive(self) -> bool:
        """Whether this very process runs."""
        return _start_time(self.pid) == self.started

    def stop(self) -> None:
        """Ask it to stop, then kill it."""
        self._signal(signal.SIGTERM)
        if not wait_until(lambda: not self.alive, STOP_TIMEOUT_S):
            self._signal(signal.SIGKILL)
            wait_until(lambda: not self.alive, STOP_TIMEOUT_S)

    def _signal(self, signum: signal.Signals) -> None:
        if self.alive:
            os.kill(self.pid, signum)


def start(
    name: str, command: Sequence[str], *, log: Path, url: str, environment: Mapping[str, str] | None = None
) -> Process:
    """Start a command in a session of its own, with its output in a log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        handle = subprocess.Popen(  # noqa: S603 - our own commands
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
    _CHILDREN[handle.pid] = handle
    return Process(name=name, pid=handle.pid, started=_start_time(handle.pid) or 0, url=url)


def save(path: Path, processes: Sequence[Process]) -> None:
    """Note processes in a file."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps([asdict(process) for process in processes], indent=2))
    part.replace(path)


def load(path: Path) -> list[Process]:
    """Return the processes noted in a file; none when there is no file."""
    try:
        return [Process(**entry) for entry in json.loads(path.read_text())]
    except FileNotFoundError:
        return []


def collect() -> None:
    """Collect those of our own children that have ended, whoever stopped them."""
    for pid, child in list(_CHILDREN.items()):
        if child.poll() is None and _start_time(pid) is None:
            # Its first thread has ended; the kernel gives it away only when the last one has.
            with suppress(subprocess.TimeoutExpired):
                child.wait(STOP_TIMEOUT_S)
        if child.poll() is not None:
            del _CHILDREN[pid]


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require_free(port: int) -> None:
    """Refuse a port that somebody listens on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as exc:
            raise PortTaken(f"another process listens on port {port}; choose another port") from exc


def _start_time(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[_START_FIELD])
