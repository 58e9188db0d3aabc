"""`python -m storage_network`: a whole local network, each node and the gateway as its own process.

The processes are forked from this one, which has imported what they need: thirteen interpreters that import
it each for themselves take ten times as long to start. This process only starts them, reaps them, and passes
SIGTERM on.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from caregrid.errors import CaregridError
from caregrid.storage.reed_solomon import TOTAL_SHARDS
from storage_network import files, process
from storage_network.gateway import __main__ as gateway
from storage_network.layout import Layout
from storage_network.node import __main__ as node

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Between looks at whether a process is ready.
POLL_INTERVAL_S: Final = 0.01

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a network until SIGTERM, or until its last process ends; return an exit code."""
    options = _parser().parse_args(arguments)
    for signum in _SIGNALS:
        signal.signal(signum, _leave)
    family = _Family()
    try:
        with files.own_folder(options.root):
            _start(family, Layout(options.root), options)
            return family.wait()
    except CaregridError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code
    finally:
        family.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Run a local storage network.")
    parser.add_argument("--root", type=Path, required=True, help="folder for all that the network keeps")
    parser.add_argument("--nodes", type=int, default=TOTAL_SHARDS, help="storage nodes; 12 or more")
    parser.add_argument("--port", type=int, default=0, help="the gateway's port; 0 takes a free one")
    for part in ("gateway", "node"):
        parser.add_argument(
            f"--{part}-option", action="append", default=[], help=f"passed on to each {part}; repeatable"
        )
    return parser


def _leave(*_: object) -> NoReturn:
    raise SystemExit(0)


def _start(family: _Family, layout: Layout, options: argparse.Namespace) -> None:
    process.make_token(layout.token)
    folders = [layout.node(number) for number in range(options.nodes)]
    for number in range(options.nodes):
        family.fork(node.main, [*layout.node_arguments(number), *options.node_option])
    addresses = [
        {"node": folder.name, "url": family.await_url(layout.ready_file(folder))} for folder in folders
    ]
    files.write_atomically(layout.nodes_file, json.dumps(addresses).encode())
    family.fork(gateway.main, [*layout.gateway_arguments(options.port), *options.gateway_option])
    family.await_url(layout.ready_file(layout.gateway))


class _Family:
    """The processes forked from this one."""

    def __init__(self) -> None:
        self._children: set[int] = set()
        self._exit_code = 0

    def fork(self, program: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> None:
        # A signal between the fork and the child's own handlers would make the child stop its siblings.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid == 0:
            _become(program, arguments)
        self._children.add(pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def await_url(self, ready_file: Path) -> str:
        while not ready_file.exists():
            self._reap(os.WNOHANG)
            if self._exit_code:
                raise SystemExit(self._exit_code)
            time.sleep(POLL_INTERVAL_S)
        return str(json.loads(ready_file.read_text())["url"])

    def wait(self) -> int:
        while self._children:
            self._reap(0)
        return self._exit_code

    def stop(self) -> None:
        for signum in _SIGNALS:
            signal.signal(signum, signal.SIG_IGN)
        for pid in self._children:
            os.kill(pid, signal.SIGTERM)
        self.wait()

    def _reap(self, options: int) -> None:
        pid, status = os.waitpid(-1, options)
        if pid:
            self._children.discard(pid)
            # A process killed by a signal is somebody's wish; one that gives up by itself is a failure.
            self._exit_code = self._exit_code or max(0, os.waitstatus_to_exitcode(status))


def _become(program: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> NoReturn:
    code = 1
    try:
        for signum in _SIGNALS:
            signal.signal(signum, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        code = program(arguments)
    except BaseException:  # noqa: BLE001 - nothing may pass: above is the parent's code
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
