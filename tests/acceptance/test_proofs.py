"""Proofs of storage on a network that loses, corrupts and stalls: found in time, and shown elsewhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.profile import Profile
from caregrid.proofs.bundle import Bundle
from caregrid.proofs.podr2 import BLOCKS
from caregrid.proofs.schedule import Terms, rounds_needed
from ocw_sidecar.devnet import Devnet
from storage_network import LocalNetwork, files
from storage_network.launch import wait_until
from storage_network.layout import Layout
from tests.acceptance.conftest import Network, confirmed
from tests.command_line import caregrid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ocw_sidecar.devnet.chain import ChainParts
    from tests.command_line import Answer

LIAR = Path(__file__).parents[1] / "faults" / "lying_prover.py"
#: A round is every ten blocks of two seconds, the first one after 42; a busy machine makes them late.
ROUND_TIMEOUT_S = 300.0
START_TIMEOUT_S = 60.0
#: Blocks by which the sidecar's clock may be behind the chain.
MARGIN = 5
#: An object of one segment is asked for all its fragments, so whatever is lost shows in the next round.
ROUNDS = rounds_needed(Terms(), 12, BLOCKS, 0.999999)


@dataclass(frozen=True)
class Scene:
    """A network of its own with one object, and an auditor who has a folder and a node's address."""

    network: Network
    wanted: str
    elsewhere: Path

    @property
    def storage(self) -> Layout:
        """Where the storage nodes are."""
        return Layout(self.network.devnet.layout.storage)

    @property
    def node(self) -> str:
        """The address of the chain's node."""
        return Profile.load(self.network.clinic).chain_urls[0]

    def sidecar(self, *words: object) -> Any:
        """Run an operator's command."""
        answer = caregrid("sidecar", *words, "--config", self.network.devnet.layout.sidecar_config, "--json")
        assert 0 == answer.exit_code, answer.stderr
        return answer.json

    def outsider(self, *words: object) -> Answer:
        """Run an auditor's command."""
        return caregrid("audit", *words, "--node", self.node, "--json")

    def reports(self) -> list[Any]:
        """Return what the chain's events tell of the object's proofs."""
        events = self.outsider("history", self.wanted).json["events"]
        return [
            each for each in events if each["event"] == "IntegrityReported" and each["scheme"] != "Network"
        ]

    def next_report(self) -> Any:
        """Have objects asked until the chain has one report more; return it."""
        before, deadline = len(self.reports()), time.monotonic() + ROUND_TIMEOUT_S
        while len(found := self.reports()) == before:
            assert time.monotonic() < deadline
            self.sidecar("run-once", "integrity")
        return found[before]

    def reported(self, known: int, holds: Callable[[Any], bool]) -> list[Any]:
        """Have objects asked until a report behind the `known` first ones is as wanted; return them.

        The sidecar asks by itself, too, so a report may be of a round from before.
        """
        deadline = time.monotonic() + ROUND_TIMEOUT_S
        while True:
            found = self.reports()[known:]
            for number, each in enumerate(found, start=1):
                if holds(each):
                    return found[:number]
            assert time.monotonic() < deadline, found
            self.sidecar("run-once", "integrity")

    def whole_rounds(self, known: int, height: int) -> list[str]:
        """Return the outcomes behind the `known` first ones, up to the round that makes up those computed.

        Rounds count from a height on: what happened before it is the same for all who are asked.
        """
        found = self.reported(known, lambda each: each["challenged_at"] > height + 10 * (ROUNDS - 1))
        return [each["outcome"] for each in found]

    def height(self) -> int:
        """Return a height that the chain has not reached before now."""
        return int(self.sidecar("status")["clock"]["block"]) + MARGIN

    def node_of(self, digest: bytes) -> int:
        """Return the number of the node that has a fragment."""
        [file] = self.storage.root.glob(f"node-*/fragments/{digest.hex()}")
        return int(file.parent.parent.name.removeprefix("node-"))


@pytest.fixture(scope="module")
def network(node_parts: ChainParts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A network that other tests do not see break."""
    folder = tmp_path_factory.mktemp("proofs") / "devnet"
    up = caregrid("devnet", "up", "--folder", folder, "--node", node_parts.node, "--json")
    assert 0 == up.exit_code, up.stderr
    made = Network(Devnet(folder))
    yield made
    assert {"stopped": True} == caregrid("devnet", "down", "--folder", folder, "--json").json
    made.devnet.down()


@pytest.fixture
def scene(network: Network, observation: Path, tmp_path: Path) -> Scene:
    """One object, stored."""
    submitted = network.submit(observation)
    confirmed(submitted)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    return Scene(network=network, wanted=submitted["records"][0]["object"], elsewhere=elsewhere)


@pytest.mark.timeout(900)
def test_what_is_lost_is_found_and_shown(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sound, stalled, lost, corrupted: an outcome for each, and only the liar is condemned."""
    monkeypatch.chdir(scene.elsewhere)
    monkeypatch.delenv("CAREGRID_PROFILE", raising=False)
    assert 1 == ROUNDS
    wait(lambda: scene.outsider("challenge", scene.wanted).exit_code == 0)

    sound = (scene.reports() or [scene.next_report()])[0]  # the sidecar may have asked by itself
    assert ("Public", "Passed") == (sound["scheme"], sound["outcome"])
    bundle = exported(scene, sound)
    verdict = scene.outsider("verify", scene.wanted, "bundle")
    assert (0, "passed") == (verdict.exit_code, verdict.json["outcome"])

    # Of a small object the fragments 1 to 3 are zeros, and look alike.
    digests = [each.entry.digest for each in bundle.answers]
    known, first = len(scene.reports()), stalled(scene, scene.node_of(digests[5]))
    assert first["challenged_at"] >= sound["challenged_at"]
    scene.reported(
        known, lambda each: (first["challenged_at"], "Passed") == (each["challenged_at"], each["outcome"])
    )

    known = len(scene.reports())
    lose(scene, digests[7])
    corrupt(scene, digests[8])
    assert "Offline" in scene.whole_rounds(known, scene.height())
    wait(lambda: living(scene, digests[7]) and living(scene, digests[8]))

    wait(lambda: scene.next_report()["outcome"] == "Passed")
    known = len(scene.reports())
    with lying(scene, scene.node_of(digests[6])):
        assert "Failed" in scene.whole_rounds(known, scene.height())
    [caught, *_] = [each for each in scene.reports()[known:] if each["outcome"] == "Failed"]
    assert "Public" == caught["scheme"]
    condemned = exported(scene, caught)
    shown = scene.outsider("verify", scene.wanted, "bundle", "--at", condemned.height)
    assert (56, "PROOF_FAILED", "failed") == (shown.exit_code, shown.error["error"], shown.json["outcome"])
    assert ["failed"] == [each["finding"] for each in shown.json["fragments"] if each["finding"] != "passed"]
    assert {"Passed", "Contained", "Offline", "Failed"} == {each["outcome"] for each in scene.reports()}


def wait(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + ROUND_TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(1.0)


def exported(scene: Scene, report: Any) -> Bundle:
    """Have a report's bundle written into the auditor's folder, and return it."""
    out = scene.elsewhere / "bundle"
    scene.sidecar("bundle", report["proof_digest"], "--out", out)
    return Bundle.decode(out.read_bytes())


def stalled(scene: Scene, number: int) -> Any:
    """Return the report of a round in which a node is stopped: nothing is held against it."""
    pid = files.owner_of(scene.storage.node(number))
    assert pid is not None
    known = len(scene.reports())
    os.kill(pid, signal.SIGSTOP)
    try:
        return scene.reported(known, lambda each: each["outcome"] == "Contained")[-1]
    finally:
        os.kill(pid, signal.SIGCONT)


def lose(scene: Scene, digest: bytes) -> None:
    """Delete a fragment from its node's disk."""
    [file] = scene.storage.root.glob(f"node-*/fragments/{digest.hex()}")
    file.unlink()


def corrupt(scene: Scene, digest: bytes) -> None:
    """Change a fragment on its node's disk."""
    [file] = scene.storage.root.glob(f"node-*/fragments/{digest.hex()}")
    content = bytearray(file.read_bytes())
    content[::8192] = bytes(each ^ 1 for each in content[::8192])
    file.write_bytes(content)


def living(scene: Scene, digest: bytes) -> bool:
    """Tell whether some node has a fragment."""
    return any(True for _ in scene.storage.root.glob(f"node-*/fragments/{digest.hex()}"))


class lying:  # noqa: N801 - used as a word of the test
    """A node replaced by a process that answers challenges with random numbers, on its port and disk."""

    def __init__(self, scene: Scene, number: int) -> None:
        self._storage, self._number = scene.storage, number
        self._network = LocalNetwork(scene.storage.root)

    def __enter__(self) -> None:
        folder, number = self._storage.node(self._number), self._number
        port = int(self._network.node_urls[number].rpartition(":")[2])
        self._network.kill_node(number)
        ready = self._storage.ready_file(folder)
        ready.unlink(missing_ok=True)
        (folder / "lie").write_text("random")
        arguments = [sys.executable, str(LIAR), *self._storage.node_arguments(number, port)]
        self._process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert wait_until(ready.exists, START_TIMEOUT_S)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(START_TIMEOUT_S)
