"""What gateway and node processes have in common: token, port, ready file, and how they start and stop."""

from __future__ import annotations

import argparse
import asyncio
import errno
import json
import logging
import os
import secrets
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web

from caregrid.errors import CaregridError, ConfigInvalid, PortTaken
from storage_network import files

if TYPE_CHECKING:
    from collections.abc import Coroutine

#: Requests that still run when the process is asked to stop get this long.
SHUTDOWN_TIMEOUT_S: Final = 5.0

LOOPBACK: Final = "127.0.0.1"

_TOKEN_BYTES: Final = 32
_OTHERS: Final = 0o077


def argument_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser of the arguments that every process takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", type=Path, required=True, help="folder for all that the process keeps")
    parser.add_argument("--port", type=int, default=0, help=f"port on {LOOPBACK}; 0 takes a free one")
    parser.add_argument("--token-file", type=Path, required=True, help="shared secret, mode 0600")
    parser.add_argument(
        "--ready-file", type=Path, required=True, help="JSON with pid and port while it serves"
    )
    return parser


def make_token(path: Path) -> None:
    """Write a new random token that only its owner can read, unless there is one."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(_TOKEN_BYTES))


def read_token(path: Path) -> str:
    """Return the token that gateway and nodes share.

    Raises:
        ConfigInvalid: there is none, or others than its owner can read it.
    """
    try:
        mode, token = path.stat().st_mode, path.read_text().strip()
    except OSError as exc:
        raise ConfigInvalid("the token file cannot be read; check --token-file") from exc
    if mode & _OTHERS:
        raise ConfigInvalid("the token file is readable by others; set its mode to 0600")
    if len(token) < _TOKEN_BYTES:
        raise ConfigInvalid(f"the token file holds fewer than {_TOKEN_BYTES} characters")
    return token


async def serve(app: web.Application, *, port: int, ready_file: Path) -> None:
    """Serve on the loopback interface until SIGTERM or SIGINT; the ready file is there meanwhile.

    Raises:
        PortTaken: another process listens on the port.
    """
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
    await runner.setup()
    try:
        await _listen(runner, port)
        _report(ready_file, runner.addresses[0][1])
        await stop.wait()
    finally:
        await asyncio.to_thread(ready_file.unlink, missing_ok=True)
        await runner.cleanup()


def run(main: Coroutine[None, None, None]) -> int:
    """Run a process to its end and return its exit code; an error goes to stderr as one line."""
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(format="%(asctime)sZ %(levelname)s %(name)s %(message)s", level=logging.INFO)
    try:
        asyncio.run(main)
    except CaregridError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code
    return 0


async def _listen(runner: web.AppRunner, port: int) -> None:
    try:
        await web.TCPSite(runner, LOOPBACK, port).start()
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise PortTaken(f"another process listens on port {port}; choose another or stop it") from exc
        raise


def _report(ready_file: Path, port: int) -> None:
    facts = {"pid": os.getpid(), "port": port, "url": f"http://{LOOPBACK}:{port}"}
    files.write_atomically(ready_file, json.dumps(facts).encode())
