"""Opens the key store that the settings name, or makes it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from caregrid.errors import ConfigInvalid, InputMissing
from caregrid.keys import FileKeyStore
from caregrid.keys.secret_file import read_secret
from ocw_sidecar.settings.key_store import KeyStoreKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from caregrid.keys import KeyStore
    from caregrid.keys.vault_transport import Login
    from ocw_sidecar.settings import Settings
    from ocw_sidecar.settings.key_store import KeyStoreSettings


def open_key_store(settings: Settings) -> KeyStore:
    """Open the key store; blocks.

    Raises:
        ConfigInvalid: a file, a module, a key or a package is not there; the message names it.
        KeyStoreLocked: passphrase, token or PIN is refused.
        KeyStoreUnreachable: Vault or the token does not answer.
    """
    match settings.key_store.kind:
        case KeyStoreKind.FILE:
            return _open_file(settings)
        case KeyStoreKind.VAULT:
            return _in_vault(settings.key_store, create=False)
        case KeyStoreKind.PKCS11:
            return _on_token(settings.key_store, create=False)


def create_key_store(settings: Settings, new_passphrase: Callable[[], str]) -> KeyStore:
    """Make the key store with a new master key; blocks. Only a file asks for a passphrase.

    Raises:
        InputInvalid: it is there already.
        ConfigInvalid, KeyStoreLocked, KeyStoreUnreachable: as `open_key_store`.
    """
    match settings.key_store.kind:
        case KeyStoreKind.FILE:
            return FileKeyStore.create(settings.key_store_path, new_passphrase())
        case KeyStoreKind.VAULT:
            return _in_vault(settings.key_store, create=True)
        case KeyStoreKind.PKCS11:
            return _on_token(settings.key_store, create=True)


def read_passphrase(path: Path) -> str:
    """Return the passphrase of the key files.

    Raises:
        ConfigInvalid: there is no such file or credential.
    """
    try:
        # Its mode is `doctor`'s to complain of: a sidecar that ran yesterday starts today.
        return read_secret(path, private=False)
    except ConfigInvalid as exc:
        raise ConfigInvalid(f"the passphrase is not there: {exc}, or set CAREGRID_PASSPHRASE_FILE") from exc


def _open_file(settings: Settings) -> KeyStore:
    passphrase = read_passphrase(settings.passphrase_path)
    path = settings.key_store_path
    try:
        return FileKeyStore.open(path, passphrase)
    except InputMissing as exc:
        raise ConfigInvalid(f"there is no key file {path}; put it there, or configure its path") from exc


def _in_vault(own: KeyStoreSettings, *, create: bool) -> KeyStore:
    try:
        from caregrid.keys import vault_store, vault_transport  # noqa: PLC0415  needs an extra
    except ModuleNotFoundError as exc:
        raise ConfigInvalid(
            "`key_store.kind` is vault, which needs a package more; install `caregrid[vault]`"
        ) from exc
    assert own.vault_url is not None  # noqa: S101  the settings have looked
    place = vault_transport.VaultPlace(
        url=own.vault_url,
        key=own.vault_key,
        mount=own.vault_mount,
        namespace=own.vault_namespace,
        ca_file=own.vault_ca_file,
    )
    kind = vault_store.VaultKeyStore
    return (kind.create if create else kind.open)(place, _login(own))


def _login(own: KeyStoreSettings) -> Login:
    from caregrid.keys.vault_transport import AppRoleLogin, TokenLogin  # noqa: PLC0415  needs an extra

    if own.vault_token_file is not None:
        return TokenLogin(partial(read_secret, own.vault_token_file))
    assert own.vault_role_id_file is not None  # noqa: S101  the settings have looked
    assert own.vault_secret_id_file is not None  # noqa: S101  likewise
    return AppRoleLogin(
        partial(read_secret, own.vault_role_id_file),
        partial(read_secret, own.vault_secret_id_file),
        mount=own.vault_approle_mount,
    )


def _on_token(own: KeyStoreSettings, *, create: bool) -> KeyStore:
    try:
        from caregrid.keys import pkcs11_session, pkcs11_store  # noqa: PLC0415  needs an extra
    except ModuleNotFoundError as exc:
        raise ConfigInvalid(
            "`key_store.kind` is pkcs11, which needs a package more; install `caregrid[pkcs11]`"
        ) from exc
    assert own.pkcs11_module is not None  # noqa: S101  the settings have looked
    assert own.pkcs11_token is not None  # noqa: S101  likewise
    assert own.pkcs11_pin_file is not None  # noqa: S101  likewise
    place = pkcs11_session.Pkcs11Place(
        module=own.pkcs11_module, token=own.pkcs11_token, label=own.pkcs11_label
    )
    kind = pkcs11_store.Pkcs11KeyStore
    return (kind.create if create else kind.open)(place, partial(read_secret, own.pkcs11_pin_file))
