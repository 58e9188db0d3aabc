"""A record taken out of a running network, and opened by the how-to page's program alone."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from caregrid.errors import NoGrant

if TYPE_CHECKING:
    from tests.acceptance.conftest import Network

PROGRAM: Final = Path(__file__).resolve().parents[2] / "docs/how-to/open.py"
RUN_TIMEOUT_S: Final = 120.0


def test_a_record_opens_without_caregrid(network: Network, tmp_path: Path) -> None:
    """The sealed bytes are the anchored ones; with the key, Tink gives the content; the key stays nowhere."""
    scan = tmp_path / "scan.bin"
    scan.write_bytes(os.urandom(2_500_000))
    record = network.submit(scan)["records"][0]["record"]
    facts = network.run("emr", "show", record, "--json").json

    sealed = tmp_path / "record.sealed"
    # A stranger may fetch what he cannot read.
    got = network.run("emr", "get", record, "--sealed", "--out", sealed, "--json", profile=network.reader)
    assert got.exit_code == 0, got.stderr
    assert (facts["length"], facts["sha256"]) == (got.json["bytes"], digest_of(sealed))
    refused = network.run("keys", "reveal", record, "--yes", "--json", profile=network.reader)
    assert NoGrant.exit_code == refused.exit_code

    shown = network.run("keys", "reveal", record, "--yes", "--json")
    assert shown.exit_code == 0, shown.stderr
    key = shown.json["data_key"]
    by_config = ("--config", network.devnet.layout.sidecar_config)
    custodian = network.run("keys", "reveal", record, "--yes", "--json", *by_config)
    assert shown.json == custodian.json, custodian.stderr
    (tmp_path / "record.key").write_text(key)
    opened = tmp_path / "record.out"
    subprocess.run(
        [sys.executable, PROGRAM, record, tmp_path / "record.key", sealed, opened],
        check=True,
        timeout=RUN_TIMEOUT_S,
    )
    assert scan.read_bytes() == opened.read_bytes()
    assert [] == holding(network.devnet.layout.root, bytes.fromhex(key), key.encode(), scan.read_bytes()[:64])


def test_an_unconfirmed_key_is_not_shown(network: Network, observation: Path) -> None:
    """Nobody types the word at a closed input, so nothing is printed."""
    record = network.submit(observation)["records"][0]["record"]
    asked = network.run("keys", "reveal", record)
    assert (65, b"") == (asked.exit_code, asked.stdout)
    assert "not confirmed" in asked.stderr


def digest_of(path: Path) -> str:
    """Hash a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def holding(folder: Path, *secrets: bytes) -> list[Path]:
    """Return the files below a folder that hold a secret as it is."""
    found = []
    for path in folder.rglob("*"):
        try:
            content = path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:  # the network runs, and has cleaned up behind itself
            continue
        if any(secret in content for secret in secrets):
            found.append(path)
    return found
