"""The key store in Vault: what it adds to the contract."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Final

import hvac
import pytest

from caregrid.errors import (
    CaregridError,
    ConfigInvalid,
    InputInvalid,
    KeyStoreLocked,
    KeyStoreUnreachable,
    ProtocolViolation,
)
from caregrid.keys import vault_transport
from caregrid.keys.vault_store import VaultKeyStore
from caregrid.keys.vault_transport import AppRoleLogin, TokenLogin, VaultPlace
from storage_network import tls
from tests.vault_server import NAMESPACE, ROLE_ID, running_vault

if TYPE_CHECKING:
    from pathlib import Path

    from tests.vault_server import VaultServer

RECORD: Final = bytes(range(16))
DATA_KEY: Final = bytes(range(32))


def place_at(vault: VaultServer, **other: str) -> VaultPlace:
    """Name a key that is not there yet."""
    return VaultPlace(url=vault.url, key=secrets.token_hex(4), **other)  # type: ignore[arg-type]


def create(vault: VaultServer, **other: str) -> VaultKeyStore:
    """Make a store with a key of its own."""
    return VaultKeyStore.create(place_at(vault, **other), TokenLogin(lambda: vault.token))


def test_an_app_role_logs_in(vault: VaultServer) -> None:
    """Role id and secret id give a token; when it is revoked, they give another one."""
    login = AppRoleLogin(lambda: ROLE_ID, lambda: vault.secret_id, mount="approle")
    store = VaultKeyStore.create(place_at(vault), login)
    wrapped = store.wrap(RECORD, DATA_KEY)
    vault.steer("revoke")
    assert DATA_KEY == store.unwrap(RECORD, wrapped)
    store.close()


def test_a_wrong_secret_id_locks_the_store(vault: VaultServer) -> None:
    """The message says what to check, and not what was given."""
    login = AppRoleLogin(lambda: ROLE_ID, lambda: "canary-secret-id", mount="approle")
    with pytest.raises(KeyStoreLocked, match="AppRole") as caught:
        VaultKeyStore.open(place_at(vault), login)
    assert "canary" not in str(caught.value)


def test_a_token_is_read_anew_when_it_is_refused(vault: VaultServer) -> None:
    """Vault Agent writes fresh tokens into the file; no restart is needed."""
    tokens = iter([vault.token, vault.token])
    current = ["stale"]
    login = TokenLogin(lambda: current[0])
    with pytest.raises(KeyStoreLocked, match="renew"):
        VaultKeyStore.create(place_at(vault), login)
    current[0] = next(tokens)
    store = VaultKeyStore.create(place_at(vault), login)
    store._server._client.token = "stale"
    assert DATA_KEY == store.unwrap(RECORD, store.wrap(RECORD, DATA_KEY))
    store.close()


def test_namespaces_have_keys_of_their_own(vault: VaultServer) -> None:
    """The namespace is sent; a key of one is none of another."""
    place = place_at(vault, namespace=NAMESPACE)
    login = TokenLogin(lambda: vault.token)
    inside = VaultKeyStore.create(place, login)
    assert DATA_KEY == inside.unwrap(RECORD, inside.wrap(RECORD, DATA_KEY))
    with pytest.raises(ConfigInvalid, match="namespace"):
        VaultKeyStore.open(VaultPlace(url=vault.url, key=place.key), login)
    inside.close()


def test_a_sealed_vault_is_waited_for(vault: VaultServer) -> None:
    """It is a passing fault, and over when somebody has unsealed it."""
    store = create(vault)
    wrapped = store.wrap(RECORD, DATA_KEY)
    vault.steer("seal")
    for work in (store.versions, lambda: store.wrap(RECORD, DATA_KEY), lambda: store.unwrap(RECORD, wrapped)):
        with pytest.raises(KeyStoreUnreachable, match="unseal"):
            work()
    vault.steer("unseal")
    assert DATA_KEY == store.unwrap(RECORD, wrapped)
    store.close()


def test_a_vault_that_is_gone_is_waited_for(tmp_path: Path) -> None:
    """Nothing is listening any more."""
    with running_vault(tmp_path) as server:
        store = create(server)
        server.stop()
        with pytest.raises(KeyStoreUnreachable, match="does not answer"):
            store.wrap(RECORD, DATA_KEY)
        store.close()


def test_a_vault_that_hangs_has_a_deadline(vault: VaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that does not come is given up."""
    store = create(vault)
    vault.steer("stall")
    monkeypatch.setattr(vault_transport, "READ_TIMEOUT_S", 0.2)
    with pytest.raises(KeyStoreUnreachable):
        store.wrap(RECORD, DATA_KEY)
    store.close()


def test_an_answer_has_a_deadline_as_a_whole(vault: VaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast each piece of it comes."""
    store = create(vault)
    monkeypatch.setattr(vault_transport, "ANSWER_TIMEOUT_S", -1.0)
    with pytest.raises(KeyStoreUnreachable):
        store.wrap(RECORD, DATA_KEY)
    store.close()


def test_an_answer_has_a_greatest_length(vault: VaultServer) -> None:
    """Who speaks for Vault cannot fill our memory."""
    store = create(vault)
    vault.steer("flood")
    with pytest.raises(KeyStoreUnreachable):
        store.wrap(RECORD, DATA_KEY)
    store.close()


def test_a_redirect_is_not_followed(vault: VaultServer) -> None:
    """The token goes where the settings say, and nowhere else."""
    store = create(vault)
    vault.steer("redirect")
    with pytest.raises(ProtocolViolation, match="redirect"):
        store.wrap(RECORD, DATA_KEY)
    store.close()


def test_its_own_authority_is_trusted_alone(tmp_path: Path, papers: Path) -> None:
    """With the authority's file the certificate holds; without it nothing is sent."""
    with running_vault(tmp_path, papers) as server:
        login = TokenLogin(lambda: server.token)
        place = VaultPlace(url=server.url, ca_file=papers / tls.CA)
        store = VaultKeyStore.create(place, login)
        assert DATA_KEY == store.unwrap(RECORD, store.wrap(RECORD, DATA_KEY))
        store.close()
        with pytest.raises(ConfigInvalid, match="not trusted"):
            VaultKeyStore.open(VaultPlace(url=server.url), login)


@pytest.mark.parametrize(
    "url", ["http://vault.example:8200", "ftp://127.0.0.1", "vault", "https://u:canary@vault.example"]
)
def test_urls_that_would_show_a_token_are_refused(url: str) -> None:
    """Plain HTTP stays on this machine, and no URL holds a password."""
    with pytest.raises(ConfigInvalid) as caught:
        VaultPlace(url=url)
    assert "canary" not in str(caught.value)


def test_an_existing_key_is_not_made_again(vault: VaultServer) -> None:
    """`create` is for a new one; a missing one is told by `open`."""
    place, login = place_at(vault), TokenLogin(lambda: vault.token)
    with pytest.raises(ConfigInvalid, match="keys create"):
        VaultKeyStore.open(place, login)
    VaultKeyStore.create(place, login).close()
    with pytest.raises(InputInvalid, match="already"):
        VaultKeyStore.create(place, login)


def test_a_key_that_is_not_derived_is_refused(vault: VaultServer) -> None:
    """Without derivation nothing would bind a wrapped key to its record."""
    place = place_at(vault)
    client = hvac.Client(url=vault.url, token=vault.token)
    client.secrets.transit.create_key(name=place.key)
    client.session.close()
    with pytest.raises(ConfigInvalid, match="derived"):
        VaultKeyStore.open(place, TokenLogin(lambda: vault.token))


def test_neither_token_nor_keys_are_told(vault: VaultServer, caplog: pytest.LogCaptureFixture) -> None:
    """Logs at their finest and the text and chain of every error hold no token, secret id or data key."""
    caplog.set_level(logging.DEBUG)
    store = create(vault)
    wrapped = store.wrap(RECORD, DATA_KEY)
    store.unwrap(RECORD, wrapped)
    told = [repr(store), repr(store._server)]
    for mode in ("seal", "redirect", "flood"):
        vault.steer(mode)
        with pytest.raises(CaregridError) as caught:
            store.unwrap(RECORD, wrapped)
        told += [f"{one!r} {one} {vars(one)}" for one in (caught.value, caught.value.__cause__) if one]
    text = " ".join([*told, caplog.text])
    assert "/v1/transit/decrypt/" in text
    for secret in (vault.token, DATA_KEY.hex(), repr(DATA_KEY), "AAECAwQFBgc"):
        assert secret not in text
    store.close()
