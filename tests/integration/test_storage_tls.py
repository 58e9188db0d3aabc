"""A storage node and a gateway that speak TLS, as processes, with certificates of their own authority."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest

from caregrid.errors import ConfigInvalid
from storage_network import certificates, tls
from storage_network.launch import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

HOST = "127.0.0.1"
START_TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of an authority, a node, a gateway and an expired gateway, and another authority's gateway."""
    root = tmp_path_factory.mktemp("papers")
    for authority in ("ca", "other-ca"):
        assert 0 == certificates.main(["authority", f"--folder={root / authority}"])
    for folder, authority, role in (
        ("node", "ca", "node"),
        ("gateway", "ca", "gateway"),
        ("stranger", "other-ca", "gateway"),
    ):
        issue = ["issue", f"--authority={root / authority}", "--role", role, "--host", HOST]
        assert 0 == certificates.main([*issue, f"--folder={root / folder}"])
    certificates.issue(
        root / "ca", root / "expired", certificates.Role.GATEWAY, [HOST], lifetime=-certificates._BACKDATED
    )
    return root


@pytest.fixture(scope="module")
def node(papers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a node that lets only the gateway in."""
    root = tmp_path_factory.mktemp("node")
    with _process("storage_network.node", root, [f"--tls={papers / 'node'}"]) as url:
        yield url


async def test_the_gateway_is_let_in(node: str, papers: Path) -> None:
    """The certificate is enough; there is no token."""
    assert 200 == await _health(node, tls.client_context(papers / "gateway"))


@pytest.mark.parametrize("who", ["stranger", "expired", "node"])
async def test_others_are_not(node: str, papers: Path, who: str) -> None:
    """Not another authority's, not one whose time is over, and not a node that passes for the gateway."""
    context = tls.client_context(papers / "gateway")
    context.load_cert_chain(papers / who / tls.CERTIFICATE, papers / who / tls.KEY)
    with pytest.raises(aiohttp.ClientError):
        await _health(node, context)


async def test_nobody_without_a_certificate(node: str, papers: Path) -> None:
    """TLS alone does not let anybody in."""
    context = ssl.create_default_context(cafile=str(papers / "ca" / tls.CA))
    with pytest.raises(aiohttp.ClientError):
        await _health(node, context)


async def test_a_node_of_another_authority_is_not_believed(node: str, papers: Path) -> None:
    """The gateway checks the node as the node checks the gateway."""
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await _health(node, tls.client_context(papers / "stranger"))


async def test_a_gateway_serves_https_and_finds_its_node(node: str, papers: Path, tmp_path: Path) -> None:
    """Clients see the gateway's certificate; its own view of the node is in the metrics."""
    nodes = tmp_path / "nodes.json"
    nodes.write_text(json.dumps([{"node": "node-00", "url": node}]))
    shown = papers / "gateway"
    arguments = [
        f"--nodes-file={nodes}",
        f"--nodes-tls={shown}",
        f"--tls-cert={shown / tls.CERTIFICATE}",
        f"--tls-key={shown / tls.KEY}",
    ]
    context = ssl.create_default_context(cafile=str(papers / "ca" / tls.CA))
    with _process("storage_network.gateway", tmp_path / "gateway", arguments) as url:
        assert url.startswith("https://")
        async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics", ssl=context) as answer:
            text = await answer.text()
    assert any("node-00" in line and line.endswith(" 1.0") for line in text.splitlines()), text


@pytest.mark.parametrize("module", ["storage_network.node", "storage_network.gateway"])
def test_other_addresses_need_tls(module: str, tmp_path: Path) -> None:
    """A process that the network could reach does not start without certificates, and says what to do."""
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("t" * 64)
    (tmp_path / "nodes.json").write_text("[]")
    arguments = ["--host=0.0.0.0", f"--token-file={token}"]
    if module.endswith("gateway"):
        arguments.append(f"--nodes-file={tmp_path / 'nodes.json'}")
    ended = subprocess.run(
        _command(module, tmp_path / "root", arguments),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ConfigInvalid.exit_code == ended.returncode
    assert "needs TLS" in ended.stderr


def test_certificates_are_never_replaced(papers: Path) -> None:
    """Neither an authority nor a certificate is written over another one; a host must be named."""
    issue = ["issue", f"--authority={papers / 'ca'}", "--role=node", f"--host={HOST}"]
    assert ConfigInvalid.exit_code == certificates.main(["authority", f"--folder={papers / 'ca'}"])
    assert ConfigInvalid.exit_code == certificates.main([*issue, f"--folder={papers / 'node'}"])
    assert ConfigInvalid.exit_code == certificates.main(
        ["issue", f"--authority={papers / 'none'}", "--role=node", f"--host={HOST}", "--folder=x"]
    )
    assert 0o600 == (papers / "ca" / tls.KEY).stat().st_mode & 0o777


async def _health(url: str, context: ssl.SSLContext) -> int:
    async with (
        asyncio.timeout(30),
        aiohttp.ClientSession() as session,
        session.get(f"{url}/health", ssl=context) as answer,
    ):
        await answer.read()
        return answer.status


@contextmanager
def _process(module: str, root: Path, arguments: Sequence[str]) -> Iterator[str]:
    process = subprocess.Popen(_command(module, root, arguments), stderr=subprocess.PIPE, text=True)
    try:
        ready = root / "ready.json"
        wait_until(lambda: ready.exists() or process.poll() is not None, START_TIMEOUT_S)
        yield str(json.loads(ready.read_text())["url"])
    finally:
        process.terminate()
        process.communicate()


def _command(module: str, root: Path, arguments: Sequence[str]) -> list[str]:
    root.mkdir(exist_ok=True)
    common = [f"--root={root}", f"--ready-file={root / 'ready.json'}"]
    return [sys.executable, "-m", module, *common, *arguments]
