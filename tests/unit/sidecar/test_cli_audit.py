"""`caregrid audit`: its files and options, before anything is contacted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from caregrid.errors import CaregridError, ConfigInvalid, InputInvalid, InputMissing
from caregrid.proofs.podr2 import keygen
from ocw_sidecar.cli import audit_options
from ocw_sidecar.cli.commands import app

if TYPE_CHECKING:
    from pathlib import Path

OBJECT = "ab" * 32
NODE = ("--node", "ws://127.0.0.1:1")


async def test_a_proof_key_is_made_once(tmp_path: Path) -> None:
    """It is its owner's alone, and the next command uses the same."""
    path = tmp_path / "proof.key"
    with pytest.raises(InputMissing):
        await audit_options.proof_key(path, make=False)
    made = await audit_options.proof_key(path, make=True)
    assert (0o600, 33) == (path.stat().st_mode & 0o777, path.stat().st_size)
    for make in (False, True):
        assert made.encode() == (await audit_options.proof_key(path, make=make)).encode()


async def test_proof_keys_that_cannot_be_used(tmp_path: Path) -> None:
    """One that others can read, one that only its owner verifies with, and what is none."""
    path = tmp_path / "proof.key"
    for content, mode, expected in (
        (keygen("public").encode(), 0o640, ConfigInvalid),
        (keygen("private").encode(), 0o600, ConfigInvalid),
        (bytes(33), 0o600, InputInvalid),
        (b"", 0o600, InputInvalid),
        (bytes(34), 0o600, InputInvalid),
    ):
        path.write_bytes(content)
        path.chmod(mode)
        with pytest.raises(expected):
            await audit_options.proof_key(path, make=True)
        assert content == path.read_bytes()


async def test_files_are_bounded(tmp_path: Path) -> None:
    """What is longer than anything that it could be is not read."""
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert b"12345" == await audit_options.read_file(path, 5)
    with pytest.raises(InputInvalid):
        await audit_options.read_file(path, 4)
    with pytest.raises(InputInvalid):
        await audit_options.read_file(tmp_path, 4)


def test_terms() -> None:
    """Numbers, or the probability that damage is found with."""
    assert 300 == audit_options.terms(300, None, 12).blocks
    assert 300 == audit_options.terms(1, 0.969, 12).blocks
    with pytest.raises(InputInvalid):
        audit_options.terms(1, 1.5, 12)


@pytest.mark.parametrize(
    "words",
    [
        ("challenge", "xyz", *NODE),
        ("challenge", OBJECT, *NODE, "--genesis", "12"),
        ("challenge", OBJECT, *NODE, "--probability", "2"),
        ("history", OBJECT[:-1], *NODE),
        ("verify", OBJECT, "no such file", *NODE),
    ],
)
def test_bad_input_is_told_before_a_node_is_asked(words: tuple[str, ...]) -> None:
    """Each is an error that says what is wrong with the input."""
    done = CliRunner().invoke(app, ["audit", *words])
    assert isinstance(done.exception, InputInvalid)


def test_what_is_no_bundle(tmp_path: Path) -> None:
    """A file of anything is refused, whatever its name."""
    path = tmp_path / "bundle"
    for content in (b"", b"\x06", bytes(20_000), b"\x06" * 20_000):
        path.write_bytes(content)
        done = CliRunner().invoke(app, ["audit", "verify", OBJECT, str(path), *NODE])
        assert isinstance(done.exception, CaregridError)
        assert 65 == done.exception.exit_code
