"""The program `caregrid`, run as people do."""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

#: Starting a network takes three finalized blocks and a dozen processes; a busy machine takes longer.
COMMAND_TIMEOUT_S: Final = 180.0
#: What the program looks at when it is imported.
_IMPORTED: Final = ("HOME", "XDG_DATA_HOME", "PATH")

_STOP_TIMEOUT_S: Final = 10.0
_ROOT: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    exit_code: int
    stdout: bytes
    stderr: str

    @property
    def json(self) -> Any:
        """The result that was printed."""
        return json.loads(self.stdout)

    @property
    def error(self) -> Any:
        """The error that was printed: one line."""
        lines = [line for line in self.stderr.splitlines() if line.startswith("{")]
        assert len(lines) == 1, self.stderr
        return json.loads(lines[0])


def caregrid(*arguments: object, profile: Path | None = None) -> Answer:
    """Run the program; see `tests.cli_server`."""
    return _server().run(list(map(str, arguments)), _environment(profile))


def spawned_caregrid(*arguments: object, profile: Path | None = None) -> Answer:
    """Run the program as a shell does, in an interpreter that has loaded nothing yet."""
    done = subprocess.run(
        [sys.executable, "-m", "ocw_sidecar.cli", *map(str, arguments)],
        capture_output=True,
        timeout=COMMAND_TIMEOUT_S,
        env=_environment(profile),
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr.decode())


def _environment(profile: Path | None) -> dict[str, str]:
    named = {} if profile is None else {"CAREGRID_PROFILE": str(profile)}
    return {**os.environ, **named}


class _Server:
    """A process that has imported the program, and where it listens."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="caregrid-cli-")
        self._path = str(Path(self._folder.name) / "socket")
        self._known = {name: os.environ.get(name) for name in _IMPORTED}
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(self._path)
            listener.listen()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.cli_server", str(listener.fileno())],
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=_ROOT,
            )
        atexit.register(self.stop)

    def run(self, arguments: list[str], environment: dict[str, str]) -> Answer:
        """Run one command."""
        assert self._known == {name: environment.get(name) for name in _IMPORTED}, "use spawned_caregrid"
        request = {"arguments": arguments, "environment": environment, "folder": str(Path.cwd())}
        with (
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            Path(os.devnull).open("rb") as nothing,
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection,
        ):
            connection.settimeout(COMMAND_TIMEOUT_S)
            connection.connect(self._path)
            streams = [nothing.fileno(), out.fileno(), err.fileno()]
            socket.send_fds(connection, [json.dumps(request).encode()], streams)
            code = connection.recv(16)
            assert code, "the process that runs commands has gone"
            out.seek(0)
            err.seek(0)
            return Answer(int(code), out.read(), err.read().decode())

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(_STOP_TIMEOUT_S)
        self._folder.cleanup()


_LOCK: Final = threading.Lock()


def _server() -> _Server:
    with _LOCK:  # two threads must not start two
        return _started()


@cache
def _started() -> _Server:
    return _Server()
