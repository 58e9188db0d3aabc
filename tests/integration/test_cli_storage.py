"""`caregrid storage` as a program, on a gateway and twelve storage nodes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from caregrid.errors import StorageUnreachable
from caregrid.keys import FileKeyStore, Identity, KdfCost
from caregrid.sealed import new_data_key, new_record_id, seal
from ocw_sidecar.testing import ORGANISATION
from storage_network import LocalNetwork
from tests.command_line import caregrid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CHEAP: Final = KdfCost(memory_kib=64, iterations=1, lanes=1)
PASSPHRASE: Final = "for tests only"
COMMAND_TIMEOUT_S: Final = 120.0
UNKNOWN: Final = "0f" * 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """A storage network, and the configuration of a sidecar that uses it."""

    network: LocalNetwork
    config: Path
    home: Path

    def command(self, *words: str | Path) -> list[str]:
        """Return a command line."""
        program = [sys.executable, "-m", "ocw_sidecar.cli", "storage"]
        return [*program, *map(str, words), "--config", str(self.config)]

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        done = caregrid("storage", *words, "--config", self.config)
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout.decode(), done.stderr)

    def json(self, *words: str | Path) -> dict[str, Any]:
        """Run a command that succeeds and return what it prints."""
        done = self.run(*words, "--json")
        assert 0 == done.returncode, done.stderr
        value: dict[str, Any] = json.loads(done.stdout)
        return value

    def fragments(self, object_file: Path) -> list[Path]:
        """Return the fragment files of the network's newest object of one segment, the data ones first."""
        assert object_file.stat().st_size
        files = [path for number in range(12) for path in self._files(number)]
        return sorted(files, key=lambda path: path.stat().st_mtime)[-12:]

    def _files(self, number: int) -> list[Path]:
        folder = self.network.node_folder(number) / "fragments"
        return [path for path in folder.rglob("*") if path.is_file() and len(path.name) == len(UNKNOWN)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all tests of this module; each stores an object of its own."""
    home, root = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("network")
    Identity.generate().save(home / "operator.json", PASSPHRASE, cost=CHEAP)
    FileKeyStore.create(home / "keystore.json", PASSPHRASE, cost=CHEAP)
    (home / "passphrase").write_text(PASSPHRASE)
    with LocalNetwork(root) as network:
        yield Site(network=network, config=configured(home, network.gateway_url), home=home)


def configured(home: Path, *gateways: str) -> Path:
    """Write a sidecar's configuration for some gateways."""
    settings = {
        "home": str(home),
        "organisation": "0x" + ORGANISATION.hex(),
        "gateway_urls": gateways,
    }
    path = home / f"{len(gateways)}.toml"
    path.write_text("\n".join(f"{name} = {json.dumps(value)}" for name, value in settings.items()))
    return path


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A sealed record, a new one for each test."""
    path = tmp_path / "sealed"
    path.write_bytes(seal(new_data_key(), new_record_id(), os.urandom(1000)))
    return path


def lines_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Return what was printed for each object."""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_an_object_goes_there_and_back(site: Site, sealed: Path, tmp_path: Path) -> None:
    """Stored, measured, listed, read; no part of a progress bar is in what a script reads."""
    put = site.json("put", sealed)
    stat = site.json("stat", put["object"])
    assert ("sound", 1.0, 3.0, 12) == (stat["state"], stat["health"], stat["replicas"], stat["nodes"])
    listed = site.run("list", "--json")
    assert put["object"] in [json.loads(line)["object"] for line in listed.stdout.splitlines()]
    got = site.run("get", put["object"], "--out", tmp_path / "back")
    assert ("", 0) == (got.stderr, got.returncode)
    assert sealed.read_bytes() == (tmp_path / "back").read_bytes()


def test_a_gateway_that_is_down_is_done_without(site: Site, sealed: Path, tmp_path: Path) -> None:
    """Nobody listens on port 1: every command works through the second gateway of the list."""
    config = configured(site.home, "http://127.0.0.1:1", site.network.gateway_url)
    other = replace(site, config=config)
    put = other.json("put", sealed)
    assert (0, [("sound", 12)]) == (
        (checked := other.run("check", put["object"])).returncode,
        states(checked),
    )
    assert 0 == other.run("get", put["object"], "--out", tmp_path / "back").returncode
    # Only every gateway together can say that an object is lost.
    unknown = other.run("check", UNKNOWN)
    assert (StorageUnreachable.exit_code, "failed") == (unknown.returncode, lines_of(unknown)[0]["state"])


def test_nodes_are_told(site: Site) -> None:
    """All twelve, with their space."""
    found = site.json("nodes")
    assert (12, 12) == (found["total"], found["living"])
    assert all(each["bytes_free"] > 0 for each in found["nodes"])


def test_damage_is_counted_found_and_repaired(site: Site, sealed: Path) -> None:
    """Three fragments lost, three damaged: `check` sees the first, `verify` all, `repair` mends them."""
    put = site.json("put", sealed)
    files = site.fragments(sealed)
    for file in files[:3]:
        file.unlink()
    for file in files[3:6]:
        flip_bit(file)
    checked = site.run("check", put["object"])
    # A node may have noticed by itself what is damaged.
    assert (1, True) == (checked.returncode, 6 <= states(checked)[0][1] <= 9)
    verified = site.run("verify", put["object"])
    assert (1, [("critical", 6)]) == (verified.returncode, states(verified))
    assert 6 == lines_of(verified)[0]["bad"]
    downloaded = site.run("verify", "--download", put["object"])
    assert sealed.stat().st_size == lines_of(downloaded)[0]["read"]
    repaired = site.run("repair", put["object"])
    assert (0, [("sound", 12)]) == (repaired.returncode, states(repaired))
    assert 6 == lines_of(repaired)[0]["rebuilt"]
    assert (0, [("sound", 12)]) == ((again := site.run("verify", put["object"])).returncode, states(again))


def test_all_goes_over_what_the_account_stored(site: Site, sealed: Path, tmp_path: Path) -> None:
    """By a profile; a stranger has stored nothing, and can look at an object all the same."""
    put = site.json("put", sealed)
    stranger = tmp_path / "profile.toml"
    Identity.generate().save(tmp_path / "me.json", PASSPHRASE, cost=CHEAP)
    (tmp_path / "secret").write_text(PASSPHRASE)
    stranger.write_text(
        f'chain_urls = ["ws://127.0.0.1:1"]\ngateway_url = "{site.network.gateway_url}"\n'
        'identity_file = "me.json"\npassphrase_file = "secret"\n'
    )
    program = [sys.executable, "-m", "ocw_sidecar.cli", "storage", "check", "--profile", str(stranger)]
    nothing = run(*program, "--all")
    assert (0, "", "0 objects: none\n") == (nothing.returncode, nothing.stdout, nothing.stderr)
    looked = run(*program, put["object"])
    assert (0, [("sound", 12)]) == (looked.returncode, states(looked))


def test_lost_nodes_are_trouble_and_the_object_is_read(site: Site, sealed: Path, tmp_path: Path) -> None:
    """Four of twelve nodes killed: two copies' worth are left."""
    put = site.json("put", sealed)
    lost = [1, 4, 7, 10]
    for number in lost:
        site.network.kill_node(number)
    try:
        checked = site.run("check", put["object"], UNKNOWN)
        assert 1 == checked.returncode
        assert {("troubled", 8), ("lost", 0)} == set(states(checked))
        assert "2 objects: 1 lost, 1 troubled; worst health 0.000" in checked.stderr
        assert 8 == site.json("nodes")["living"]
        assert 0 == site.run("get", put["object"], "--out", tmp_path / "back").returncode
    finally:
        for number in lost:
            site.network.restart_node(number)
    assert sealed.read_bytes() == (tmp_path / "back").read_bytes()


def test_an_interrupted_check_leaves_whole_lines(site: Site, sealed: Path) -> None:
    """Ctrl-C in the middle of a long list: valid NDJSON, a summary, a shell's exit code."""
    put = site.json("put", sealed)
    command = site.command("check", *[put["object"]] * 1500, "--at-once", "1")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, summary = process.communicate(timeout=COMMAND_TIMEOUT_S)
    assert 130 == process.returncode, summary
    looked = [json.loads(line) for line in [first, *rest.splitlines()]]
    assert 0 < len(looked) < 1500
    assert (first + rest).endswith("\n")
    assert summary.startswith(f"{len(looked)} objects: {len(looked)} sound")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(list(words), capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)


def states(done: subprocess.CompletedProcess[str]) -> Sequence[tuple[str, int]]:
    """Return the state of each object and how many of its fragments live."""
    return [(line["state"], line["living"]) for line in lines_of(done)]


def flip_bit(file: Path) -> None:
    """Damage a file as a disk does: nothing but the content changes."""
    before, content = file.stat(), bytearray(file.read_bytes())
    content[4242] ^= 1
    with file.open("r+b") as opened:
        opened.write(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
