"""Bad input and missing parts: one clear line, an exit code of its own, nothing lost."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.command_line import caregrid

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Network

UNKNOWN_RECORD = "ab" * 16
#: Port 9 (discard) is reserved: nobody listens there.
NOBODY = "127.0.0.1:9"


def edited(network: Network, tmp_path: Path, old: str, new: str) -> Path:
    """Return a copy of the application's profile with one thing changed, next to the files it names."""
    text = network.clinic.read_text()
    assert old in text
    profile = network.devnet.layout.root / f"edited-{tmp_path.name}.toml"
    profile.write_text(text.replace(old, new))
    return profile


def test_no_such_file(network: Network, tmp_path: Path) -> None:
    """The path is named."""
    answer = network.run("emr", "submit", tmp_path / "nothing.json", "--json")
    assert (66, "INPUT_MISSING") == (answer.exit_code, answer.error["error"])
    assert "nothing.json" in answer.error["message"]


def test_an_empty_file(network: Network, tmp_path: Path) -> None:
    """There is nothing to store."""
    (tmp_path / "empty.json").touch()
    answer = network.run("emr", "submit", tmp_path / "empty.json", "--json")
    assert (67, "INPUT_EMPTY") == (answer.exit_code, answer.error["error"])


@pytest.mark.parametrize("content", ["not JSON", "[]", "<ClinicalDocument/>"])
def test_content_that_is_not_what_it_says(network: Network, tmp_path: Path, content: str) -> None:
    """It is refused at the door, with an OperationOutcome and the same exit code as what is judged later."""
    file = tmp_path / "broken.json"
    file.write_text(content)
    answer = network.run("emr", "submit", file, "--json")
    assert (64, "VALIDATION_FAILED") == (answer.exit_code, answer.error["error"])
    assert "OperationOutcome" == answer.error["outcome"]["resourceType"]


@pytest.mark.parametrize("content", ['{"resourceType": "Patient"', '{"resourceType": "Nobody"}'])
def test_broken_json_and_unknown_resources(network: Network, tmp_path: Path, content: str) -> None:
    """They are refused with an OperationOutcome, and exit code 64."""
    file = tmp_path / "broken.json"
    file.write_text(content)
    answer = network.run("emr", "submit", file, "--json")
    assert (64, 1) == (answer.exit_code, answer.json["rejected"])
    assert "OperationOutcome" == answer.json["records"][0]["outcome"]["resourceType"]


def test_an_unknown_patient(network: Network, observation: Path) -> None:
    """He must be registered first."""
    answer = network.run("emr", "submit", observation, "--patient", "cd" * 32, "--json")
    assert (12, "PATIENT_UNKNOWN") == (answer.exit_code, answer.error["error"])


@pytest.mark.parametrize("command", [("emr", "get"), ("emr", "show"), ("grants", "list")])
def test_an_unknown_record(network: Network, command: tuple[str, str]) -> None:
    """Every command says so in the same way."""
    answer = network.run(*command, UNKNOWN_RECORD, "--json")
    assert (11, "RECORD_UNKNOWN") == (answer.exit_code, answer.error["error"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("emr", "show", "xyz"),
        ("emr", "show", "ab"),
        ("grants", "add", UNKNOWN_RECORD, "nobody"),
        ("grants", "add", UNKNOWN_RECORD, "0x" + "00" * 32, "--purpose", "Curiosity"),
    ],
)
def test_malformed_arguments(network: Network, arguments: tuple[str, ...]) -> None:
    """Ids, accounts and purposes are checked before anything is asked."""
    answer = network.run(*arguments, "--json")
    assert (65, "INPUT_INVALID") == (answer.exit_code, answer.error["error"])


def test_a_wrong_command_line() -> None:
    """Usage, and exit code 2."""
    answer = caregrid("emr", "frobnicate")
    assert 2 == answer.exit_code
    assert "No such command" in answer.stderr


def test_a_grantee_without_a_key(network: Network, observation: Path) -> None:
    """Nothing can be wrapped to him."""
    record = network.submit(observation)["records"][0]["record"]
    answer = network.run("grants", "add", record, "0x" + "11" * 32, "--json")
    assert (18, "NO_ENCRYPTION_KEY") == (answer.exit_code, answer.error["error"])


def test_a_stranger_cannot_grant_or_revoke(network: Network, observation: Path) -> None:
    """Only the patient's controller decides."""
    record = network.submit(observation)["records"][0]["record"]
    answer = network.run("grants", "revoke", record, "0x" + "11" * 32, "--json", profile=network.reader)
    assert (14, "ACCESS_REFUSED", "NotController") == (
        answer.exit_code,
        answer.error["error"],
        answer.error["name"],
    )


def test_a_wrong_passphrase(network: Network, tmp_path: Path) -> None:
    """The key file stays shut."""
    (tmp_path / "wrong").write_text("not the passphrase")
    profile = edited(network, tmp_path, '"passphrase"', f'"{tmp_path}/wrong"')
    answer = network.run("emr", "get", UNKNOWN_RECORD, "--json", profile=profile)
    assert (60, "KEY_STORE_LOCKED") == (answer.exit_code, answer.error["error"])


def test_no_profile(tmp_path: Path) -> None:
    """The message says how to get one."""
    answer = caregrid("emr", "show", UNKNOWN_RECORD, "--json", profile=tmp_path / "none.toml")
    assert (78, "CONFIG_INVALID") == (answer.exit_code, answer.error["error"])
    assert "devnet up" in answer.error["message"]


def test_the_chain_is_down(network: Network, tmp_path: Path) -> None:
    """Nobody answers at the endpoint."""
    chain = network.devnet.status()["chain"]["url"]
    profile = edited(network, tmp_path, chain, f"ws://{NOBODY}")
    answer = network.run("emr", "show", UNKNOWN_RECORD, "--json", profile=profile)
    assert (20, "CHAIN_UNREACHABLE") == (answer.exit_code, answer.error["error"])


def test_the_gateway_is_down(network: Network, observation: Path, tmp_path: Path) -> None:
    """The record is there, its bytes are out of reach; nothing half-written is left."""
    record = network.submit(observation)["records"][0]["record"]
    profile = edited(network, tmp_path, network.devnet.storage.gateway_url, f"http://{NOBODY}")
    folder = tmp_path / "out"
    folder.mkdir()
    answer = network.run("emr", "get", record, "--out", folder / "copy", "--json", profile=profile)
    assert (30, "STORAGE_UNREACHABLE") == (answer.exit_code, answer.error["error"])
    assert [] == list(folder.iterdir())


def test_the_sidecar_is_down(network: Network, observation: Path, tmp_path: Path) -> None:
    """Submitting fails, and says how to start it."""
    url = network.devnet.status()["sidecar"]["url"]
    profile = edited(network, tmp_path, url, f"http://{NOBODY}")
    answer = network.run("emr", "submit", observation, "--json", profile=profile)
    assert (40, "SIDECAR_UNREACHABLE") == (answer.exit_code, answer.error["error"])


def test_a_port_is_taken(network: Network, tmp_path: Path) -> None:
    """The port is named, and nothing is left running."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        folder = tmp_path / "second"
        up = ("devnet", "up", "--folder", folder, "--node", os.environ["CAREGRID_NODE"], "--json")
        answer = caregrid(*up, "--chain-port", port)
        assert (61, "PORT_TAKEN") == (answer.exit_code, answer.error["error"])
        assert str(port) in answer.error["message"]
        sidecar = subprocess.run(
            [sys.executable, "-m", "ocw_sidecar.cli", "sidecar", "run"],
            env={
                **os.environ,
                "CAREGRID_CONFIG_FILE": str(network.devnet.layout.sidecar_config),
                "CAREGRID_HOME": str(_copied_home(network, tmp_path)),
                "CAREGRID_PORT": str(port),
            },
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert 61 == sidecar.returncode, sidecar.stderr
    assert not caregrid("devnet", "status", "--folder", folder, "--json").json["running"]


def _copied_home(network: Network, tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / "keystore.json").touch(0o600)
    (home / "keystore.json").write_bytes((network.devnet.layout.sidecar / "keystore.json").read_bytes())
    return home


def test_a_network_is_not_started_twice(network: Network) -> None:
    """The running one is left alone."""
    answer = caregrid("devnet", "up", "--folder", network.devnet.layout.root, "--json")
    assert (78, "CONFIG_INVALID") == (answer.exit_code, answer.error["error"])
    assert network.devnet.running


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    """`devnet up` clears only what is a development network."""
    (tmp_path / "thesis.txt").write_text("years of work")
    answer = caregrid("devnet", "up", "--folder", tmp_path, "--json")
    assert (78, "CONFIG_INVALID") == (answer.exit_code, answer.error["error"])
    assert "years of work" == (tmp_path / "thesis.txt").read_text()
