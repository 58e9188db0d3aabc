"""Files of the storage network: whole or absent, owned by one process, secrets kept."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from caregrid.errors import ConfigInvalid
from storage_network import files, process
from storage_network.gateway.settings import NodeAddress, read_nodes

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys, pathlib
from storage_network import files
with files.own_folder(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_has_one_owner(tmp_path: Path) -> None:
    """A second process cannot take a folder; when the first is killed, the folder is free."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert files.owner_of(tmp_path) == holder.pid
        with pytest.raises(ConfigInvalid, match="another process"), files.own_folder(tmp_path):
            pass
        holder.kill()
    assert files.owner_of(tmp_path) is None


def test_a_folder_without_owner(tmp_path: Path) -> None:
    """A folder that nobody ever held has no owner."""
    assert files.owner_of(tmp_path) is None


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 300_000])
def test_trailing_zeros_are_kept(tmp_path: Path, size: int) -> None:
    """A file that ends in zero bytes reads back as it was written."""
    for content in (bytes(size), b"x" + bytes(size), bytes(size) + b"x"):
        files.write_atomically(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """When the name cannot be taken, no part of the file stays behind."""
    (tmp_path / "taken").mkdir()
    with pytest.raises(IsADirectoryError):
        files.write_atomically(tmp_path / "taken", b"content")
    assert os.listdir(tmp_path) == ["taken"]  # noqa: PTH208 - names are what is compared


def test_a_token_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    """A token is random, stays as it is, and is readable by its owner only."""
    process.make_token(tmp_path / "token")
    first = process.read_token(tmp_path / "token")
    process.make_token(tmp_path / "token")
    assert first == process.read_token(tmp_path / "token")
    assert len(first) == 64
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


def test_unsafe_tokens_are_refused(tmp_path: Path) -> None:
    """A token that is missing, short, or readable by others stops the process, without being shown."""
    token = tmp_path / "token"
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        process.read_token(token)
    token.write_text("short")
    token.chmod(0o600)
    with pytest.raises(ConfigInvalid, match="fewer than 32"):
        process.read_token(token)
    token.write_text("s" * 64)
    token.chmod(0o640)
    with pytest.raises(ConfigInvalid, match="0600") as caught:
        process.read_token(token)
    assert "ssss" not in str(caught.value)


def test_nodes_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    """The order of the file does not matter, so placement does not depend on it."""
    (tmp_path / "nodes").write_text('[{"node": "b", "url": "http://b"}, {"node": "a", "url": "http://a"}]')
    expected = (NodeAddress(node="a", url="http://a"), NodeAddress(node="b", url="http://b"))
    assert expected == read_nodes(tmp_path / "nodes")


@pytest.mark.parametrize(
    "text", ["", "{}x", '[{"node": "a"}]', "[1]", '[{"node": "a", "url": "x"}, {"node": "a", "url": "y"}]']
)
def test_unusable_nodes_files_are_refused(tmp_path: Path, text: str) -> None:
    """A nodes file that is broken or names a node twice is told before anything starts."""
    (tmp_path / "nodes").write_text(text)
    with pytest.raises(ConfigInvalid):
        read_nodes(tmp_path / "nodes")


def test_processes_import_little() -> None:
    """A node loads none of the heavy libraries of the SDK, so that a network starts within seconds."""
    code = "import sys, storage_network.node.__main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = {"substrateinterface", "scalecodec", "sr25519", "fhir", "pydantic", "cryptography", "sqlite3"}
    assert set() == heavy & set(loaded.split())
