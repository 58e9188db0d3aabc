"""The network of docs/reference/storage.md: three servers with four nodes each, TLS between all of them."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from storage_network import certificates, tls
from storage_network.launch import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

#: Each an address of its own, as three machines would have.
SERVERS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
NODES_A_SERVER = 4
START_TIMEOUT_S = 90.0
SIZE = 9_000_000


@pytest.fixture
def processes() -> Iterator[ExitStack]:
    """Ends at the end of the test what it was given."""
    with ExitStack() as started:
        yield started


def test_a_server_may_burn(processes: ExitStack, tmp_path: Path) -> None:
    """What is stored over three servers is read when all nodes of one are gone, and then of two."""
    papers = tmp_path / "papers"
    certificates.main(["authority", f"--folder={papers / 'ca'}"])
    nodes = [
        processes.enter_context(_node(tmp_path, papers, server, number))
        for server in SERVERS
        for number in range(NODES_A_SERVER)
    ]
    for root, _, process in nodes:
        _await_start(root, process)
    url = processes.enter_context(_gateway(tmp_path, papers, [root for root, _, _ in nodes]))
    assert url.startswith("https://127.0.0.1:")

    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(random.Random(5).randbytes(SIZE))  # noqa: S311 - no secret
    stored = _client(papers, url, "put", str(source))["object"]
    for server in SERVERS[:2]:
        for _, of, process in nodes:
            if of == server:
                process.kill()
        _client(papers, url, "get", stored, str(back))
        assert source.read_bytes() == back.read_bytes()
        back.unlink()


@contextmanager
def _node(
    folder: Path, papers: Path, server: str, number: int
) -> Iterator[tuple[Path, str, subprocess.Popen[bytes]]]:
    name = f"node-{server.replace('.', '-')}-{number}"
    _issue(papers, name, "node", server)
    arguments = [f"--host={server}", f"--tls={papers / name}", "--max-bytes=1073741824"]
    with _process("storage_network.node", folder / name, arguments) as process:
        yield folder / name, server, process


@contextmanager
def _gateway(folder: Path, papers: Path, nodes: Sequence[Path]) -> Iterator[str]:
    _issue(papers, "gateway", "gateway", SERVERS[0])
    addresses = [{"node": root.name, "url": _ready(root)["url"]} for root in nodes]
    (folder / "nodes.json").write_text(json.dumps(addresses))
    shown = papers / "gateway"
    arguments = [
        f"--nodes-file={folder / 'nodes.json'}",
        f"--nodes-tls={shown}",
        f"--tls-cert={shown / tls.CERTIFICATE}",
        f"--tls-key={shown / tls.KEY}",
    ]
    with _process("storage_network.gateway", folder / "gateway", arguments) as process:
        _await_start(folder / "gateway", process)
        yield str(_ready(folder / "gateway")["url"])


def _issue(papers: Path, name: str, role: str, host: str) -> None:
    issue = ["issue", f"--authority={papers / 'ca'}", "--role", role, "--host", host]
    assert 0 == certificates.main([*issue, f"--folder={papers / name}"])


def _client(papers: Path, url: str, *arguments: str) -> dict[str, Any]:
    # A client trusts the network's authority as it trusts others: by OpenSSL's own variable.
    environment = {**os.environ, "SSL_CERT_FILE": str(papers / "ca" / tls.CA)}
    command = [sys.executable, "-m", "tests.bench.storage.client", url, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert 0 == ended.returncode, ended.stderr
    return dict[str, Any](json.loads(ended.stdout))


@contextmanager
def _process(module: str, root: Path, arguments: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    root.mkdir()
    common = [f"--root={root}", f"--ready-file={root / 'ready.json'}"]
    process = subprocess.Popen([sys.executable, "-m", module, *common, *arguments])
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _await_start(root: Path, process: subprocess.Popen[bytes]) -> None:
    ready = root / "ready.json"
    wait_until(lambda: ready.exists() or process.poll() is not None, START_TIMEOUT_S)
    assert ready.exists(), f"{root.name} did not start"


def _ready(root: Path) -> dict[str, Any]:
    return dict[str, Any](json.loads((root / "ready.json").read_text()))
