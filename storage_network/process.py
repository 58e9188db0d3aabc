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
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web

from caregrid.errors import CaregridError, ConfigInvalid, PortTaken
from caregrid.hosts import is_loopback
from storage_network import files

if TYPE_CHECKING:
    import ssl
    from collections.abc import Coroutine

#: Requests that still run when the process is asked to stop get this long; a segment takes seconds.
DEFAULT_STOP_TIMEOUT_S: Final = 10.0

LOOPBACK: Final = "127.0.0.1"
#: What an application has run beside its requests, from its start to its stop.
JOBS: Final = web.AppKey("jobs", tuple[Callable[[], Awaitable[None]], ...])
#: Prometheus' text format.
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_TOKEN_BYTES: Final = 32
_OTHERS: Final = 0o077


def argument_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser of the arguments that every process takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", type=Path, required=True, help="folder for all that the process keeps")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on; others need TLS")
    parser.add_argument("--token-file", type=Path, help="shared secret, mode 0600; needed without TLS")
    parser.add_argument(
        "--stop-timeout-s",
        type=float,
        default=DEFAULT_STOP_TIMEOUT_S,
        help="what runs when asked to stop gets this long",
    )
    parser.add_argument(
        "--ready-file", type=Path, required=True, help="JSON with pid and port while it serves"
    )
    return parser


def path(text: str) -> Path:
    """Return a path given on the command line."""
    return Path(text)


def positive(text: str) -> int:
    """Return a number above 0 given on the command line."""
    number = int(text)
    if number <= 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return number


@dataclass(frozen=True, kw_only=True, slots=True)
class Listening:
    """Where and how a process serves."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    stop_timeout_s: float

    def __post_init__(self) -> None:
        if self.tls is None and not is_loopback(self.host):
            raise ConfigInvalid(
                f"serving on {self.host} needs TLS; give certificates, or listen on {LOOPBACK}"
            )


def listening(options: argparse.Namespace, tls: ssl.SSLContext | None) -> Listening:
    """Return where to serve, from the arguments.

    Raises:
        ConfigInvalid: another host than this machine itself without TLS.
    """
    return Listening(host=options.host, port=options.port, tls=tls, stop_timeout_s=options.stop_timeout_s)


def token_of(options: argparse.Namespace, *, required: bool) -> str | None:
    """Return the token that gateway and nodes share, or None where none is named.

    Raises:
        ConfigInvalid: it is required and missing, or as `read_token`.
    """
    if options.token_file is None:
        if required:
            raise ConfigInvalid("without TLS a token is needed; give --token-file")
        return None
    return read_token(options.token_file)


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


async def serve(app: web.Application, where: Listening, *, ready_file: Path) -> None:
    """Serve until SIGTERM or SIGINT; the ready file is there meanwhile, and the application's jobs run.

    What runs when the signal comes is finished, up to a deadline; nothing new is begun.

    Raises:
        PortTaken: another process listens on the port.
    """
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=where.stop_timeout_s)
    await runner.setup()
    try:
        await _listen(runner, where)
        _report(ready_file, runner.addresses[0][1], where)
        await _with_jobs(app.get(JOBS, ()), stop)
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


async def _with_jobs(jobs: tuple[Callable[[], Awaitable[None]], ...], stop: asyncio.Event) -> None:
    # A job that fails ends the process: nobody would notice that it is missing.
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(_run(job)) for job in jobs]
        await stop.wait()
        for task in running:
            task.cancel()


async def _run(job: Callable[[], Awaitable[None]]) -> None:
    await job()


async def _listen(runner: web.AppRunner, where: Listening) -> None:
    try:
        await web.TCPSite(runner, where.host, where.port, ssl_context=where.tls).start()
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"another process listens on port {where.port}; choose another or stop it"
            ) from exc
        raise ConfigInvalid(f"cannot listen on {where.host}; choose an address of this machine") from exc


def _report(ready_file: Path, port: int, where: Listening) -> None:
    scheme = "http" if where.tls is None else "https"
    host = f"[{where.host}]" if ":" in where.host else where.host
    facts = {"pid": os.getpid(), "port": port, "url": f"{scheme}://{host}:{port}"}
    files.write_atomically(ready_file, json.dumps(facts).encode())
