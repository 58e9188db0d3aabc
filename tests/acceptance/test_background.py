"""The background commands against the real node: there, away, and going away; on both databases."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.client import EmrClient
from caregrid.threats import parse_network
from tests.command_line import caregrid
from tests.faults.scripted_node import ScriptedNode, cut
from tests.redis_server import running_redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from caregrid.chain.port import IpBlock
    from tests.acceptance.conftest import Network
    from tests.command_line import Answer

TIMEOUT_S = 180.0
SUBMIT = "author_submitExtrinsic"
#: Nobody listens there.
NOWHERE = "ws://127.0.0.1:9"
NO_REDIS = "redis://127.0.0.1:9/0"


@pytest.fixture(params=["sqlite", "postgres"])
def config(request: pytest.FixtureRequest, network: Network, tmp_path: Path) -> Path:
    """A configuration of its own home and database, with the hospital's operator and chain."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    kept = [
        line
        for line in network.devnet.layout.sidecar_config.read_text().splitlines()
        if line.partition(" ")[0] not in {"home", "ready_file"}
    ]
    lines = [f'home = "{home}"', *kept]
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_server")
        lines += ["[database]", f'url = "{server.url(server.create_database())}"']
    path = tmp_path / "tasks.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis."""
    with running_redis(tmp_path_factory.mktemp("redis")) as made:
        yield made.url


@pytest.fixture
def nets(request: pytest.FixtureRequest) -> list[str]:
    """Networks that no other test blocks."""
    number = 2 * sorted(["sqlite", "postgres"]).index(request.node.callspec.params["config"])
    number += 16 * (sum(request.node.originalname.encode()) % 16)
    return [f"10.{number}.{last}.0/24" for last in range(12)]


def on(config: Path, url: str) -> Path:
    """Return the same configuration on another endpoint of the chain."""
    lines = [line for line in config.read_text().splitlines() if not line.startswith("chain_urls")]
    path = config.with_name("elsewhere.toml")
    path.write_text("\n".join([f'chain_urls = ["{url}"]', *lines]) + "\n")
    return path


def run(config: Path, *words: object) -> Answer:
    """Run a command with JSON."""
    return caregrid(*words, "--config", config, "--json")


def part(report: Any, name: str) -> dict[str, Any]:
    """Return one part of a report."""
    [found] = [each for each in report["parts"] if each["part"] == name]
    return dict(found)


def want(config: Path, nets: list[str]) -> None:
    """Have networks blocked by a file."""
    file = config.with_name("blocks.ndjson")
    rows = [json.dumps({"net": net, "reason": "Scanning", "hours": 24}) for net in nets]
    file.write_text("\n".join(rows) + "\n")
    answer = run(config, "threats", "import", "blocks", file)
    assert (0, len(nets)) == (answer.exit_code, answer.json["changed"])


def waiting(config: Path) -> dict[str, int]:
    """Return how many of our networks are how far."""
    tables = {each["table"]: each for each in run(config, "sync-blockchain", "--stats").json["tables"]}
    shown = tables["blocked_ips"]
    return {name: shown[name] for name in ("pending", "submitted", "confirmed", "failed") if shown[name]}


def on_chain(network: Network, nets: list[str]) -> dict[str, IpBlock]:
    """Return what the chain has of some networks."""

    async def look() -> dict[str, IpBlock]:
        async with await EmrClient.from_profile(network.clinic) as client:
            found = {
                net: await client.chain.ip_block(parse_network(net), client.organisation) for net in nets
            }
            return {net: entry for net, entry in found.items() if entry is not None}

    return asyncio.run(look())


def test_what_is_wanted_stands_on_the_chain(network: Network, config: Path, nets: list[str]) -> None:
    """By each command line in turn; an application's look-up knows it."""
    want(config, nets)
    dry = run(config, "sync-blockchain", "--dry-run")
    assert (0, len(nets)) == (dry.exit_code, part(dry.json, "blocks")["found"])
    assert {} == on_chain(network, nets)
    done = run(config, "sync-blockchain", "--blocks-only")
    assert (0, len(nets)) == (done.exit_code, part(done.json, "blocks")["done"]), done.stderr
    assert {"confirmed"} == set(waiting(config))
    assert set(nets) == set(on_chain(network, nets))
    assert asyncio.run(is_blocked(network, nets[3].replace(".0/24", ".77")))
    assert 0 == run(config, "threats", "unblock", nets[3]).exit_code
    everything = run(config, "run-background-tasks")
    assert (0, "success") == (everything.exit_code, everything.json["result"]), everything.stderr
    assert set(nets) - {nets[3]} == set(on_chain(network, nets))
    cleaned = run(config, "cleanup-expired-blocks")
    assert (0, 0) == (cleaned.exit_code, part(cleaned.json, "local")["done"]), cleaned.stderr


async def is_blocked(network: Network, address: str) -> bool:
    """Ask as an application does."""
    async with await EmrClient.from_profile(network.clinic) as client:
        return await client.threats.is_blocked(address)


def test_a_chain_that_is_away_costs_nothing(network: Network, config: Path, nets: list[str]) -> None:
    """Exit code 2, everything stays pending; with the chain back, it goes."""
    want(config, nets)
    away = on(config, NOWHERE)
    failed = run(away, "sync-blockchain")
    assert (2, "CHAIN_UNREACHABLE") == (failed.exit_code, part(failed.json, "blocks")["reason"])
    assert 2 == run(away, "cleanup-expired-blocks").exit_code
    assert 1 == run(away, "cleanup-expired-blocks", "--force").exit_code
    assert 0 == run(away, "cleanup-expired-blocks", "--local-only").exit_code
    assert {"pending": len(nets)} == waiting(away)
    assert 0 == run(config, "sync-blockchain").exit_code
    assert set(nets) == set(on_chain(network, nets))


async def test_a_chain_that_goes_away_in_the_middle(network: Network, config: Path, nets: list[str]) -> None:
    """Cut once the first call is in: partly done, and the next run ends it; nothing is sent twice."""
    chain = network.devnet.process("chain")
    assert chain is not None
    await asyncio.to_thread(want, config, nets)
    async with ScriptedNode(chain.url).listening() as node:

        async def last(params: list[Any], ask: Any) -> Any:
            await ask()
            await node.fail()
            return await cut(params, ask)

        node.scripts[SUBMIT] = last
        away = await asyncio.to_thread(on, config, node.url)
        # Sixteen seconds are enough for a chain that is there.
        os.environ["BLOCKCHAIN_CONFIRMATION_TIMEOUT"] = "8"
        try:
            broken = await asyncio.to_thread(
                run, away, "sync-blockchain", "--max-retries", 0, "--retry-delay", 0, "--blocks-only"
            )
        finally:
            del os.environ["BLOCKCHAIN_CONFIRMATION_TIMEOUT"]
    assert (2, 0) == (broken.exit_code, part(broken.json, "blocks")["done"]), broken.stderr
    states = await asyncio.to_thread(waiting, config)
    assert {"submitted": len(nets)} == states
    again = await asyncio.to_thread(run, config, "sync-blockchain", "--blocks-only")
    assert 0 == again.exit_code, again.stdout
    assert set(nets) == set(await asyncio.to_thread(on_chain, network, nets))
    assert {"confirmed"} == set(await asyncio.to_thread(waiting, config))


@pytest.mark.parametrize("config", ["sqlite"], indirect=True)
def test_a_cache_spares_the_next_server_the_node(
    network: Network, config: Path, nets: list[str], redis_url: str
) -> None:
    """What the first has read of the chain the second finds in Redis; without it nothing else changes."""
    first = with_redis(config, redis_url, "first")
    second = with_redis(config, redis_url, "second")
    for each in (first, second):
        assert 0 == run(each, "sync-blockchain").exit_code  # from here on they follow
    want(first, nets)
    assert len(nets) == part(run(first, "sync-blockchain").json, "blocks")["done"]
    found = run(second, "sync-blockchain")
    assert (0, len(nets)) <= (found.exit_code, part(found.json, "from-chain")["done"])
    assert found.json["cache"]["hits"] > 0
    assert 0 < found.json["cache"]["hit_rate"] <= 1
    assert run(first, "cache", "clear").json["removed"] > 0
    away = with_redis(config, NO_REDIS, "first")
    assert (0, 0) == ((report := run(away, "sync-blockchain")).exit_code, report.json["cache"]["hits"])
    assert set(nets) == set(on_chain(network, nets))


def with_redis(config: Path, url: str, name: str) -> Path:
    """Return the configuration of a server with a home and a database of its own, and a cache."""
    home = config.with_name(name)
    home.mkdir(mode=0o700, exist_ok=True)
    lines = [line for line in config.read_text().splitlines() if not line.startswith("home")]
    path = config.with_name(f"{name}.toml")
    path.write_text("\n".join([f'home = "{home}"', *lines, "[redis]", f'url = "{url}"']) + "\n")
    return path


def test_three_processes_at_once(network: Network, config: Path, nets: list[str]) -> None:
    """Each entry is sent by one of them; all end well, beside a sidecar with the same key."""
    want(config, nets)
    command = [sys.executable, "-m", "ocw_sidecar.cli", "sync-blockchain", "--blocks-only", "--json"]
    processes = [
        subprocess.Popen([*command, "--config", config], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    ended = [process.communicate(timeout=TIMEOUT_S) for process in processes]
    assert [0, 0, 0] == [process.returncode for process in processes], ended
    assert len(nets) == sum(part(json.loads(out), "blocks")["done"] for out, _ in ended)
    assert set(nets) == set(on_chain(network, nets))


def test_the_running_sidecar_does_it_by_itself(network: Network) -> None:
    """Asked to, or by its own clock; its status tells."""
    config = network.devnet.layout.sidecar_config
    net = "10.255.0.0/24"
    assert 0 == run(config, "threats", "block", net).exit_code
    for worker in ("sync", "cleanup"):
        done = run(config, "sidecar", "run-once", worker)
        assert (0, True) == (done.exit_code, done.json["by_daemon"]), done.stdout
    assert {net} == set(on_chain(network, [net]))
