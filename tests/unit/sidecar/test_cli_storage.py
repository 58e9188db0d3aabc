"""`caregrid storage put|get|stat|list|fid|nodes` on a store in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from caregrid.errors import InputInvalid, InputMissing, NotFound, ObjectUnknown
from caregrid.sealed import new_data_key, new_record_id, seal
from caregrid.storage import MemoryObjectStore, Placement, file_id_of
from ocw_sidecar.cli import storage_opening
from ocw_sidecar.cli.storage import app
from ocw_sidecar.cli.storage_opening import Opened
from ocw_sidecar.cli.storage_sealed import looks_sealed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from typer.testing import Result

#: A device-independent bitmap begins with the length of its header, which is that of ours, too.
BITMAP = b"\x28\0\0\0\x40\0\0\0\x40\0\0\0\x01\0\x18\0" + bytes(100_000)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryObjectStore:
    """What every command works with."""
    kept = MemoryObjectStore()

    @asynccontextmanager
    async def opened(_profile: Path, _config: Path | None) -> AsyncIterator[Opened]:
        yield Opened(store=kept, settings=None)

    monkeypatch.setattr(storage_opening, "opened", opened)
    return kept


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A sealed record."""
    path = tmp_path / "sealed"
    path.write_bytes(seal(new_data_key(), new_record_id(), b"something private"))
    return path


def invoke(*arguments: str | Path) -> Result:
    """Run a command."""
    return CliRunner().invoke(app, [str(each) for each in arguments])


def run(*arguments: str | Path) -> dict[str, Any]:
    """Run a command and return what it prints."""
    result = invoke(*arguments, "--json")
    assert 0 == result.exit_code, result.output
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def test_what_is_put_can_be_got(store: MemoryObjectStore, sealed: Path, tmp_path: Path) -> None:
    """Under its file id, byte for byte."""
    assert store
    put = run("put", sealed)
    assert file_id_of(sealed).hex() == put["object"]
    got = run("get", put["object"], "--out", tmp_path / "back")
    assert sealed.stat().st_size == got["bytes"] == put["bytes"]
    assert sealed.read_bytes() == (tmp_path / "back").read_bytes()


@pytest.mark.parametrize(
    "content", [b'{"resourceType": "Patient"}', b"(* a comment *)" * 10, BITMAP, b"\x28"]
)
def test_what_is_not_sealed_is_stored_only_on_demand(
    store: MemoryObjectStore, tmp_path: Path, content: bytes
) -> None:
    """A file that whoever runs the network could read needs a second word."""
    assert store
    path = tmp_path / "plain"
    path.write_bytes(content)
    refused = invoke("put", path)
    assert isinstance(refused.exception, InputInvalid)
    assert "--as-is" in str(refused.exception)
    assert "" == invoke("list").stdout
    assert file_id_of(content).hex() == run("put", path, "--as-is")["object"]


@pytest.mark.parametrize("size", [0, 1, 17, 1_048_520, 1_048_521, 3_000_000])
def test_sealed_records_of_any_length_are_known(size: int) -> None:
    """Whatever the key and the content are."""
    record = seal(new_data_key(), new_record_id(), bytes(size))
    assert looks_sealed(record[:40], len(record))


def test_put_says_that_nothing_is_encrypted() -> None:
    """Its help leaves no doubt."""
    assert "nothing is encrypted here" in " ".join(invoke("put", "--help").stdout.split())


def test_get_leaves_nothing_when_there_is_nothing(store: MemoryObjectStore, tmp_path: Path) -> None:
    """An unknown object and a folder that is not there are refused, and no file appears."""
    assert store
    unknown = invoke("get", "0f" * 32, "--out", tmp_path / "back")
    assert isinstance(unknown.exception, ObjectUnknown)
    missing = invoke("get", "0f" * 32, "--out", tmp_path / "no" / "back")
    assert isinstance(missing.exception, InputMissing)
    assert isinstance(invoke("get", "0f" * 32, "--out", tmp_path).exception, InputInvalid)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "0f", "zz" * 32, "0f" * 33])
def test_what_is_no_file_id_is_refused(store: MemoryObjectStore, text: str) -> None:
    """Before anything is asked of the network."""
    assert store
    assert isinstance(invoke("stat", text).exception, InputInvalid)


def test_stat_measures_and_judges(store: MemoryObjectStore, sealed: Path) -> None:
    """Size, fragments, health from 0 to 1, copies' worth and nodes."""
    put = run("put", sealed)
    store.placement = Placement(needed=4, total=12, living=11, nodes=11)
    expected = {
        "object": put["object"],
        "state": "troubled",
        "health": 0.875,
        "replicas": 2.75,
        "nodes": 11,
        "living": 11,
        "needed": 4,
        "total": 12,
        "bytes": sealed.stat().st_size,
    }
    assert expected == run("stat", put["object"])
    assert isinstance(invoke("stat", "0f" * 32).exception, ObjectUnknown)


def test_list_goes_on_where_it_was_left(store: MemoryObjectStore, tmp_path: Path) -> None:
    """A line for each object in the order of their ids; `--after` and `--limit` make pages."""
    assert store
    path, ids = tmp_path / "plain", []
    for number in range(5):
        path.write_bytes(bytes([number + 1]))
        ids.append(run("put", path, "--as-is")["object"])
    lines = [json.loads(line) for line in invoke("list", "--json").stdout.splitlines()]
    assert sorted(ids) == [line["object"] for line in lines]
    assert all(1 == line["bytes"] and line["space"] >= 96 << 20 for line in lines)
    page = invoke("list", "--json", "--after", sorted(ids)[1], "--limit", "2").stdout.splitlines()
    assert sorted(ids)[2:4] == [json.loads(line)["object"] for line in page]


def test_nodes_are_counted(store: MemoryObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Living ones and others; a network that does not tell is said to."""
    store.placement = Placement(needed=4, total=12, living=10, nodes=10)
    found = run("nodes")
    assert (12, 10, 12) == (found["total"], found["living"], len(found["nodes"]))

    async def untold() -> None:
        return None

    monkeypatch.setattr(store, "nodes", untold)
    assert isinstance(invoke("nodes").exception, NotFound)


def test_fid_needs_no_network_and_no_profile(tmp_path: Path) -> None:
    """Each file's id in a line; what cannot be read is told, and the others are computed all the same."""
    first, empty, second = (tmp_path / name for name in ("first", "empty", "second"))
    first.write_bytes(b"one")
    empty.touch()
    second.write_bytes(b"two")
    result = invoke("fid", first, empty, tmp_path / "missing", second)
    expected = [f"{file_id_of(path).hex()}  {path}" for path in (first, second)]
    assert expected == result.stdout.splitlines()
    assert 67 == result.exit_code
    assert 2 == len(result.stderr.splitlines())
    told = json.loads(invoke("fid", first, "--json").stdout)
    assert {"file": str(first), "fid": file_id_of(b"one").hex(), "bytes": 3} == told


def test_fid_reads_standard_input_and_no_configuration(tmp_path: Path) -> None:
    """As a program: a profile that does not exist is not looked for."""
    done = subprocess.run(
        [sys.executable, "-m", "ocw_sidecar.cli", "storage", "fid", "-"],
        input=b"one",
        capture_output=True,
        env={"CAREGRID_PROFILE": str(tmp_path / "none"), "HOME": str(tmp_path), "PATH": ""},
        timeout=60,
        check=False,
    )
    assert f"{file_id_of(b'one').hex()}  -\n".encode() == done.stdout, done.stderr
    assert 0 == done.returncode
