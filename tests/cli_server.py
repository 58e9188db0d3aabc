"""Runs `caregrid` in processes that are forked from one that has imported it: a second less for each command.

Everything else is as when a person types it: a process of its own with its arguments, environment and
streams, and the exit code that comes of it. Started by `tests.command_line`, which can do without, too.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import threading
from contextlib import suppress
from typing import Final

import caregrid
import ocw_sidecar
from ocw_sidecar.cli.main import main

#: Arguments and environment of one command.
MAX_REQUEST: Final = 1 << 20
#: Standard input, output and error.
STREAMS: Final = 3


def serve(listener: socket.socket) -> None:
    """Take commands until the listener is gone; returns in the processes of the commands, too."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            attend(connection)
            return
        connection.close()


def attend(connection: socket.socket) -> None:
    """Run one command, tell its exit code, and end it when nobody waits for it any more."""
    request, streams, _, _ = socket.recv_fds(connection, MAX_REQUEST, STREAMS)
    if not request:
        os._exit(0)
    pid = os.fork()
    if pid == 0:
        connection.close()
        become(json.loads(request), streams)
        return
    ended = os.pidfd_open(pid)
    readable, _, _ = select.select([connection.fileno(), ended], [], [])
    if ended not in readable:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    with suppress(OSError):
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def become(request: dict[str, object], streams: list[int]) -> None:
    """Be the process of a command."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    environment, arguments = request["environment"], request["arguments"]
    assert isinstance(environment, dict)
    assert isinstance(arguments, list)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(str(request["folder"]))
    sys.argv = ["caregrid", *arguments]


def load() -> None:
    """Import what commands import when they need it."""
    for package in (caregrid, ocw_sidecar):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)
    import substrateinterface  # noqa: F401, PLC0415 - a client imports it when it connects
    import websocket  # noqa: F401, PLC0415 - likewise


if __name__ == "__main__":
    load()
    gc.freeze()  # nothing of it is garbage, and a look at it would copy it for each command
    assert 1 == threading.active_count(), "a process with threads cannot be forked"
    with socket.socket(fileno=int(sys.argv[1])) as own:
        serve(own)
    main()
