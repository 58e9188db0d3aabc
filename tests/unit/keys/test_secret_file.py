"""Passphrases, PINs and tokens in files and systemd credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from caregrid.errors import ConfigInvalid, KeyStoreLocked
from caregrid.keys.secret_file import MAX_SECRET_BYTES, read_secret


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file that only its owner reads."""
    (tmp_path / "secret").touch(0o600)
    return tmp_path / "secret"


@pytest.mark.parametrize("content", ["swordfish", "swordfish\n", "swordfish\r\n"])
def test_the_content_is_the_secret(path: Path, content: str) -> None:
    """Without the end of the line that editors add."""
    path.write_text(content)
    assert "swordfish" == read_secret(path)


def test_a_credential_of_systemd_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`credential:NAME` is the file of that name where systemd says; its mode is systemd's affair."""
    (tmp_path / "vault-token").write_text("swordfish\n")
    (tmp_path / "vault-token").chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert "swordfish" == read_secret(Path("credential:vault-token"))


def test_credentials_need_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a unit the message says what the unit needs."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigInvalid, match="LoadCredential=pin:PATH"):
        read_secret(Path("credential:pin"))


@pytest.mark.parametrize("name", ["", "../shadow", "..", "a/b"])
def test_credentials_stay_in_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A name is no path."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ConfigInvalid, match="names no credential"):
        read_secret(Path(f"credential:{name}"))


def test_files_that_others_may_read_are_refused(path: Path) -> None:
    """Unless the caller knows better."""
    path.write_text("swordfish")
    path.chmod(0o644)
    with pytest.raises(KeyStoreLocked, match="chmod 600"):
        read_secret(path)
    assert "swordfish" == read_secret(path, private=False)


def test_files_without_a_secret_are_told(path: Path) -> None:
    """Missing, empty, a folder, or no text: each is a matter of the configuration, and named."""
    with pytest.raises(ConfigInvalid, match="empty"):
        read_secret(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigInvalid, match="as text"):
        read_secret(path)
    with pytest.raises(ConfigInvalid, match="as text"):
        read_secret(path.parent)
    with pytest.raises(ConfigInvalid, match="there is no file"):
        read_secret(path.with_name("absent"))


def test_no_more_than_a_secret_is_read(path: Path) -> None:
    """A file of any size costs little."""
    path.write_text("x" * (2 * MAX_SECRET_BYTES))
    assert MAX_SECRET_BYTES == len(read_secret(path))
