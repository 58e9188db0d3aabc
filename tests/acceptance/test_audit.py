"""Proofs of storage: a custodian commits and proves, an outsider with a node's address finds the verdict."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from caregrid.profile import Profile
from caregrid.proofs.bundle import Bundle
from caregrid.proofs.tag_list import TagList
from tests.command_line import caregrid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.conftest import Network
    from tests.command_line import Answer

#: 42 blocks of 2 seconds at most, on a machine that does other things.
ROUND_TIMEOUT_S = 300.0
COMMITMENT_UNKNOWN = 37
#: Bytes of a bundle before its block hashes, and before its key.
HEAD, KEY = 87, 87 + 32 * 32
#: Larger files of the network are fragments, and the node's database.
MAX_SEARCHED = 4 * 1024 * 1024
#: What is asked for: fewer fragments than by default, so that the test is quick.
TERMS = ("--fragments", 6)


@pytest.fixture
def custodian(network: Network) -> Path:
    """A profile of the account that stored the object: the sidecar's."""
    layout = network.devnet.layout
    profile = layout.profile("operator")
    text = network.clinic.read_text().replace(
        layout.identity("clinic").name, layout.identity("operator").name
    )
    profile.write_text("\n".join(line for line in text.splitlines() if not line.startswith("token_file")))
    return profile


def wait_for_commitment(ask: Callable[[], Answer]) -> None:
    """Ask until the sidecar has committed to the object: with the same key, its commitment is ours."""
    deadline = time.monotonic() + ROUND_TIMEOUT_S
    while ask().exit_code == COMMITMENT_UNKNOWN:
        assert time.monotonic() < deadline
        time.sleep(1.0)


def wait_for_round(ask: Callable[[], Answer]) -> int:
    """Ask until the chain has a round, and return its height."""
    deadline = time.monotonic() + ROUND_TIMEOUT_S
    while (answer := ask()).exit_code != 0:
        assert (35, "CHALLENGE_EARLY") == (answer.exit_code, answer.error["error"])
        assert time.monotonic() < deadline
        time.sleep(1.0)
    return int(answer.json["round"])


def holds(path: Path, secret: bytes) -> bool:
    """Tell whether a file holds a secret, as bytes or in hex; processes may delete theirs meanwhile."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    return secret in content or secret.hex().encode() in content.lower()


def refuse_what_is_tampered_with(
    content: bytes, tampered: Path, wanted: str, outsider: Callable[..., Answer]
) -> None:
    """Flip a bit of each part of a bundle and see it refused, each with its exit code."""
    for place, exit_code in (
        (1, 57),  # genesis hash
        (40, 57),  # object id
        (65, 57),  # height of the commitment
        (73, 57),  # height of the round
        (HEAD, 57),  # a block hash
        (KEY + 1, 58),  # the point of the key that stands on the chain
        (KEY + 5_000, 58),  # another of its points
        (KEY + 12_817 + 2 + 4, 58),  # digest of a fragment
        (len(content) - 100, 56),  # the last proof
    ):
        tampered.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        refused = outsider("verify", wanted, tampered, *TERMS)
        assert exit_code == refused.exit_code, (place, refused.stderr)
    tampered.write_bytes(content[:-1])
    assert 65 == outsider("verify", wanted, tampered, *TERMS).exit_code


@pytest.mark.timeout(600)
def test_an_outsider_finds_the_verdict(
    network: Network,
    observation: Path,
    custodian: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The whole way: commit, wait, prove, verify elsewhere; what is tampered with is refused; loss shows."""
    wanted = network.submit(observation)["records"][0]["object"]
    key, tags, bundle = (
        network.devnet.layout.sidecar / "proof.key",
        tmp_path / "tags.list",
        tmp_path / "bundle",
    )
    mine = ("--key", key, "--list", tags, "--json")

    node = Profile.load(network.clinic).chain_urls[0]
    wait_for_commitment(lambda: caregrid("audit", "challenge", wanted, "--node", node, "--json"))
    committed = network.run("audit", "commit", wanted, *mine, profile=custodian)
    assert 0 == committed.exit_code, committed.stderr
    assert (12, []) == (committed.json["fragments"], committed.json["untaken"])
    again = network.run("audit", "commit", wanted, *mine, profile=custodian)
    assert committed.json == again.json

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.delenv("CAREGRID_PROFILE", raising=False)

    def outsider(*words: object) -> Answer:
        return caregrid("audit", *words, "--node", node, "--json")

    height = wait_for_round(lambda: outsider("challenge", wanted, *TERMS))
    asked = outsider("challenge", wanted, "--at", height, *TERMS).json
    assert committed.json["commitment"] == asked["commitment"]
    assert asked["first_block"] > committed.json["committed_at"]

    proving = ("audit", "prove", wanted, *mine, *TERMS, "--out")
    proved = network.run(*proving, bundle, "--at", height, "--report", profile=custodian)
    assert (0, "passed") == (proved.exit_code, proved.json["outcome"]), proved.stderr

    verdict = outsider("verify", wanted, bundle, "--at", height, *TERMS, "--genesis", asked["genesis"])
    assert (0, "passed", height) == (verdict.exit_code, verdict.json["outcome"], verdict.json["round"])
    assert asked["fragments"] == [
        {"number": each["number"], "segment": 0, "index": each["number"]}
        for each in verdict.json["fragments"]
    ]
    assert proved.json["bundle"] == verdict.json["bundle"]

    refuse_what_is_tampered_with(bundle.read_bytes(), elsewhere / "tampered", wanted, outsider)
    for other in (
        (wanted, bundle, "--at", height + 10, *TERMS),
        (wanted, bundle),  # other terms
        ("00" * 32, bundle, *TERMS),
    ):
        assert 57 == outsider("verify", *other).exit_code
    assert 0 != outsider("verify", wanted, bundle, *TERMS, "--genesis", "11" * 32).exit_code

    events = outsider("history", wanted).json["events"]
    told = [(each["event"], each.get("scheme"), each.get("challenged_at")) for each in events]
    assert ("ProofCommitted", None, None) in told
    assert proved.json["reported"] is (("IntegrityReported", "Public", height) in told)

    seed = key.read_bytes()[1:]
    assert 0o600 == key.stat().st_mode & 0o777
    written = [bundle, tags, *network.devnet.layout.root.rglob("*")]
    files = [path for path in written if path.is_file() and path != key]
    small = [path for path in files if path.stat().st_size < MAX_SEARCHED]
    assert len(small) > 20
    assert [] == [path for path in small if holds(path, seed)]

    lost = TagList.decode(tags.read_bytes()).fragments[Bundle.decode(bundle.read_bytes()).answers[0].number]
    for file in network.devnet.layout.storage.glob(f"node-*/fragments/{lost.digest.hex()}"):
        file.unlink()
    found = network.run(*proving, bundle, "--at", height, profile=custodian)
    assert (34, "offline") == (found.exit_code, found.json["outcome"])
    refused = outsider("verify", wanted, bundle, *TERMS)
    assert (34, "PROOF_MISSING", "offline") == (
        refused.exit_code,
        refused.error["error"],
        refused.json["outcome"],
    )
