"""Keys on a running network: looked at, and the master key rotated beside the sidecar."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

from tests.acceptance.conftest import confirmed
from tests.command_line import caregrid

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Network


def healthy(*arguments: object) -> dict[str, str]:
    """Run `keys doctor`, which finds nothing wrong, and return what it says of each check."""
    answer = caregrid("keys", "doctor", "--json", *arguments)
    assert 0 == answer.exit_code, (answer.stdout, answer.stderr)
    return {each["check"]: each["detail"] for each in answer.json["checks"]}


def keys(network: Network, *arguments: object) -> Any:
    """Run a command of the sidecar's operator."""
    answer = caregrid("keys", *arguments, "--config", network.devnet.layout.sidecar_config, "--json")
    assert 0 == answer.exit_code, answer.stderr
    return answer.json


def read(network: Network, record: str, profile: Path, out: Path) -> Any:
    """Fetch a record with a profile."""
    out.unlink(missing_ok=True)
    answer = network.run("emr", "get", record, "--out", out, "--json", profile=profile)
    assert 0 == answer.exit_code, answer.stderr
    return json.loads(out.read_bytes())


def test_doctor_finds_keys_in_order(network: Network) -> None:
    """Of a reader, whose encryption key the chain has; and of the sidecar, whose operator reads nothing."""
    # Other tests register new ones.
    assert re.match(r"version \d+ on the chain", healthy("--profile", network.reader)["encryption key"])
    found = healthy("--config", network.devnet.layout.sidecar_config)
    assert {"key files", "key store", "identity", "encryption key"} == set(found)
    assert "wraps and unwraps" in found["key store"]


def test_the_master_key_rotates_beside_a_running_sidecar(
    network: Network, observation: Path, tmp_path: Path
) -> None:
    """Records from before and after open for owner and reader; nothing is retired while the sidecar runs."""
    account = caregrid(
        "keys", "export-public", network.devnet.layout.identity("reader"), *passphrase(network)
    )
    reader = account.json["account"]
    first, old = submitted(network, observation), json.loads(observation.read_bytes())
    granted = network.run("grants", "add", first, reader, "--json")
    assert 0 == granted.exit_code, granted.stderr
    before = keys(network, "show")["version"]
    told = keys(network, "rotate")
    assert (before + 1, 0) == (told["version"], told["left"])
    assert 0 < told["changed"]
    second, new = submitted(network, observation), json.loads(observation.read_bytes())
    assert 0 == network.run("grants", "add", second, reader, "--json").exit_code
    for record, content in ((first, old), (second, new)):
        for profile in (network.clinic, network.reader):
            assert content == read(network, record, profile, tmp_path / "copy.json")
    assert before + 1 == keys(network, "show")["version"]
    refused = caregrid("keys", "rotate", "--retire-old", "--config", network.devnet.layout.sidecar_config)
    assert (78, True) == (refused.exit_code, "wait until" in refused.stderr)
    again = keys(network, "rotate")
    assert (before + 2, 0) == (again["version"], again["left"])
    assert told["changed"] < again["changed"]


def submitted(network: Network, observation: Path) -> str:
    """Submit a record and return its id when it is final."""
    content = json.loads(observation.read_bytes()) | {"note": [{"text": os.urandom(8).hex()}]}
    observation.write_text(json.dumps(content))
    [record] = confirmed(network.submit(observation))
    return record


def passphrase(network: Network) -> tuple[object, ...]:
    """Return the options that name the network's passphrase."""
    return ("--passphrase-file", network.devnet.layout.passphrase, "--json")
