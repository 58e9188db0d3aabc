"""A PostgreSQL server of Debian's package for tests: in a temporary folder, on a free port of loopback."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

import psycopg

from ocw_sidecar.devnet.processes import free_port

#: initdb refuses to run as root; Debian's package brings this account.
ACCOUNT: Final = "postgres"

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 30.0

#: Small, since each worker of the test run has a server of its own.
SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "autovacuum_naptime": "10min",
    # A shutdown waits for connections that were opened and never said who they are.
    "authentication_timeout": "10s",
    "log_min_messages": "warning",
}


def programs() -> Path:
    """Return the folder of the newest installed server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    assert found, "PostgreSQL is not installed; run `scripts/test`, which installs it"
    return found[-1]


def dump(url: str) -> bytes:
    """Return all that a database holds, as text; binary values in hex."""
    return subprocess.run([str(programs() / "pg_dump"), url], check=True, capture_output=True).stdout


class PostgresServer:
    """A server; `stop` and `start` keep its data. Its methods block."""

    def __init__(self, *, durable: bool) -> None:
        # Not in pytest's folders: those are closed to the server's account, and closed again by every run.
        self._folder = Path(tempfile.mkdtemp(prefix="caregrid-postgres-"))
        self._data = self._folder / "data"
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.password = secrets.token_hex(8)

    def create(self) -> None:
        """Make its data folder."""
        password = self._folder / "password"
        password.write_text(self.password)
        if os.geteuid() == 0:
            for path in (self._folder, password):
                shutil.chown(path, ACCOUNT)
        arguments = ["--auth=scram-sha-256", "--username=caregrid", f"--pwfile={password}", "--no-sync"]
        subprocess.run(
            [*_as_account(), str(programs() / "initdb"), *arguments, "-D", str(self._data)],
            check=True,
            capture_output=True,
            cwd=self._folder,
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = SETTINGS | {"port": str(self.port), "unix_socket_directories": str(self._folder)}
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_as_account(), str(programs() / "postgres"), "-D", str(self._data), *options],
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            assert self._process.poll() is None, (self._folder / "log").read_text()
            time.sleep(0.05)

    def stop(self, kind: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends every session first, SIGQUIT is a crash."""
        if self._process is None:
            return
        os.kill(self._postmaster(), kind)
        self._process.wait(STOP_TIMEOUT_S)
        self._process = None

    def freeze(self, *, frozen: bool) -> None:
        """Have all of its processes stand still, or go on."""
        assert self._process is not None
        leader = self._postmaster()
        children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
        for pid in (leader, *map(int, children)):
            os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)
        if not frozen:
            self._process.send_signal(signal.SIGCONT)  # runuser stops itself with its child

    def remove(self) -> None:
        """Remove all that it wrote; it must be stopped."""
        shutil.rmtree(self._folder)

    def url(self, database: str) -> str:
        """Return how to reach a database."""
        return f"postgresql://caregrid:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, *, template: str = "template0") -> str:
        """Make a database and return its name."""
        name = f"test_{secrets.token_hex(8)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever still uses it."""
        self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def run(self, statement: str, database: str = "postgres") -> None:
        """Run one statement on its own."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _postmaster(self) -> int:
        return int((self._data / "postmaster.pid").read_text().splitlines()[0])

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _as_account() -> list[str]:
    return ["runuser", "-u", ACCOUNT, "--"] if os.geteuid() == 0 else []
