"""`caregrid sidecar token`."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from caregrid.errors import InputInvalid, NotFound
from ocw_sidecar.adapters.opening import QUEUE_FILE
from ocw_sidecar.callers.items import Scope
from ocw_sidecar.callers.tokens import token_digest
from ocw_sidecar.cli.tokens import app
from ocw_sidecar.testing import ORGANISATION

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "0x" + "0a" * 32


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A sidecar's configuration."""
    file = tmp_path / "sidecar.toml"
    file.write_text(f'home = "{tmp_path / "home"}"\norganisation = "0x{ORGANISATION.hex()}"\n')
    return file


def run(*arguments: str | Path) -> dict[str, Any]:
    """Run a command and return what it prints."""
    result = CliRunner().invoke(app, [str(each) for each in (*arguments, "--json")], catch_exceptions=False)
    assert 0 == result.exit_code
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def fail(*arguments: str | Path) -> BaseException | None:
    """Run a command that fails and return its error."""
    return CliRunner().invoke(app, [str(each) for each in arguments]).exception


def test_a_token_is_made_before_the_first_start(config: Path, tmp_path: Path) -> None:
    """Without a command it has every scope, as it always did; only its digest is kept."""
    made = run("--config", config)
    with closing(sqlite3.connect(tmp_path / "home" / QUEUE_FILE)) as database:
        assert [(token_digest(made["token"]),)] == list(database.execute("SELECT digest FROM tokens"))
    held = b"".join(path.read_bytes() for path in (tmp_path / "home").iterdir() if path.is_file())
    assert made["token"].encode() not in held
    (listed,) = run("list", "--config", config)["tokens"]
    assert (made["id"], "good", " ".join(sorted(Scope))) == (
        listed["id"],
        listed["state"],
        listed["scopes"],
    )


def test_a_token_has_the_scopes_account_and_end_that_were_asked_for(config: Path) -> None:
    """The list shows them, and no token."""
    made = run(
        "create",
        "--scope",
        "read",
        "--scope",
        "feed",
        "--account",
        ACCOUNT,
        "--days",
        "3",
        "--config",
        config,
    )
    listed = run("list", "--config", config)["tokens"]
    assert ["feed read"] == [each["scopes"] for each in listed]
    assert listed[0]["account"] is not None
    assert listed[0]["expires"] > listed[0]["created"]
    assert made["token"] not in json.dumps(listed)


def test_a_revoked_token_is_shown_as_such(config: Path) -> None:
    """Revoking takes an id, once."""
    made = run("create", "--config", config)
    assert {"revoked": made["id"]} == run("revoke", made["id"], "--config", config)
    (listed,) = run("list", "--config", config)["tokens"]
    assert "revoked" == listed["state"]
    assert isinstance(fail("revoke", made["id"], "--config", config), NotFound)
    assert isinstance(fail("revoke", "xyz", "--config", config), InputInvalid)


@pytest.mark.parametrize(
    "arguments", [("--scope", "everything"), ("--days", "0"), ("--days", "4000"), ("--scope",)]
)
def test_nonsense_is_a_wrong_command_line(config: Path, arguments: tuple[str, ...]) -> None:
    """Exit code 2, and nothing is made."""
    result = CliRunner().invoke(app, ["create", *arguments, "--config", str(config)])
    assert 2 == result.exit_code
    assert {"tokens": []} == run("list", "--config", config)
