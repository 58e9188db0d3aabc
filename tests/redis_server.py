"""A Redis server of Debian's package for tests: on a free port of loopback, keeping nothing on disk."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import redis

from ocw_sidecar.devnet.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True)
class RedisServer:
    """A server that runs."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        """How to reach it."""
        return f"redis://127.0.0.1:{self.port}/0"


@contextmanager
def running_redis(folder: Path) -> Iterator[RedisServer]:
    """Run a server for the length of the block; blocks."""
    program = shutil.which("redis-server")
    assert program is not None, "redis-server is not installed; run `scripts/test`, which installs it"
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with (folder / "redis.log").open("ab") as log:
        process = subprocess.Popen([program, *options, "--dir", str(folder)], stdout=log, stderr=log)
    try:
        _wait(port)
        yield RedisServer(process, port)
    finally:
        process.kill()
        process.wait(STOP_TIMEOUT_S)


def _wait(port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    with redis.Redis(port=port) as client:
        while True:
            try:
                client.ping()
            except redis.RedisError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                return
