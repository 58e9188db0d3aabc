"""What tests of key stores share: a stand-in for Vault and a SoftHSM2, each started once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage_network import certificates, tls
from tests.soft_hsm import soft_hsm
from tests.vault_server import running_vault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.soft_hsm import SoftHsm
    from tests.vault_server import VaultServer


@pytest.fixture(scope="session")
def plain_vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    """A server without TLS; tests leave it unsealed."""
    with running_vault(tmp_path_factory.mktemp("vault")) as server:
        yield server


@pytest.fixture
def vault(plain_vault: VaultServer) -> Iterator[VaultServer]:
    """Give the server in its ordinary state."""
    try:
        yield plain_vault
    finally:
        plain_vault.steer("unseal")


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with an authority's certificate, and one it issued for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("papers")
    assert 0 == certificates.main(["authority", f"--folder={folder / 'ca'}"])
    issue = ["issue", f"--authority={folder / 'ca'}", "--role=node", "--host=127.0.0.1"]
    assert 0 == certificates.main([*issue, f"--folder={folder / 'vault'}"])
    assert (folder / "vault" / tls.CA).exists()
    return folder / "vault"


@pytest.fixture(scope="session")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsm]:
    """Give a SoftHSM2."""
    yield from soft_hsm(tmp_path_factory.mktemp("hsm"))
