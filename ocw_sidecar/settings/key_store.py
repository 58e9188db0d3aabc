"""Which key store holds the custodian's master key."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003  pydantic reads it
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from ocw_sidecar.settings.part import Part

#: Names in Vault's paths and on tokens.
_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
_PATH: Final = r"^[A-Za-z0-9][A-Za-z0-9_./-]*$"


class KeyStoreKind(StrEnum):
    """Where the master key is."""

    FILE = "file"
    VAULT = "vault"
    PKCS11 = "pkcs11"


class KeyStoreSettings(Part):
    """A file under a passphrase, unless `kind` says otherwise."""

    kind: KeyStoreKind = KeyStoreKind.FILE

    vault_url: str | None = None  #: https://HOST:PORT; http:// on this machine only
    vault_namespace: str | None = Field(default=None, max_length=256)
    vault_ca_file: Path | None = None  #: trusted in place of the system's authorities
    vault_mount: str = Field(default="transit", pattern=_PATH, max_length=128)  #: where the engine is mounted
    vault_key: str = Field(default="caregrid", pattern=_NAME, max_length=128)  #: the transit key's name
    vault_token_file: Path | None = None  #: read again when Vault refuses the token
    vault_role_id_file: Path | None = None  #: AppRole, in place of a token
    vault_secret_id_file: Path | None = None
    vault_approle_mount: str = Field(default="approle", pattern=_PATH, max_length=128)

    pkcs11_module: Path | None = None  #: the vendor's library
    pkcs11_token: str | None = Field(default=None, min_length=1, max_length=32)  #: the token's label
    pkcs11_label: str = Field(default="caregrid", pattern=_NAME, max_length=128)  #: of the keys on the token
    pkcs11_pin_file: Path | None = None

    @model_validator(mode="after")
    def _require_complete(self) -> Self:
        needed = {
            KeyStoreKind.FILE: (),
            KeyStoreKind.VAULT: ("vault_url",),
            KeyStoreKind.PKCS11: ("pkcs11_module", "pkcs11_token", "pkcs11_pin_file"),
        }
        missing = [name for name in needed[self.kind] if getattr(self, name) is None]
        if missing:
            raise ValueError(f"kind = {self.kind} needs {', '.join(missing)}")
        if self.kind is KeyStoreKind.VAULT:
            self._require_login()
        return self

    def _require_login(self) -> None:
        roles = (self.vault_role_id_file, self.vault_secret_id_file)
        if (self.vault_token_file is None) != (None not in roles) or (None in roles and any(roles)):
            raise ValueError("Vault needs vault_token_file, or vault_role_id_file and vault_secret_id_file")
        if urlsplit(self.vault_url or "").scheme not in {"https", "http"}:
            raise ValueError("vault_url has the form https://HOST:PORT")
