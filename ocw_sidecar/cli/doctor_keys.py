"""Whether the custodian's key store works, and who else may read what opens it."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Final

from caregrid.errors import ConfigInvalid
from caregrid.keys.secret_file import is_credential, others_may
from ocw_sidecar.settings.key_store import KeyStoreKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from caregrid.keys import KeyStore
    from ocw_sidecar.settings import Settings

#: No record has it, since it is no UUID.
_TRIAL_ID: Final = b"doctor/trial/key"


async def works(settings: Settings, store: KeyStore) -> str:
    """Wrap and unwrap a key that is used for nothing, and say which version did.

    Raises:
        ConfigInvalid: another key came back.
        KeyStoreLocked, KeyStoreUnreachable, WrongKey: the store does not work.
    """
    return await asyncio.to_thread(_tried, settings, store)


async def modes(settings: Settings) -> str:
    """Say that nobody else reads the files that open the keys.

    Raises:
        ConfigInvalid: others can read or change one; the message names it.
    """
    return await private(await asyncio.to_thread(_secret_files, settings))


async def private(files: Sequence[Path]) -> str:
    """Say that nobody else reads these files; one that is missing is for others to tell.

    Raises:
        ConfigInvalid: others can read or change one; the message names it.
    """
    bare = await asyncio.to_thread(lambda: [str(path) for path in files if _is_bare(path)])
    if bare:
        raise ConfigInvalid(f"others can read or change {', '.join(bare)}; `chmod 600` them")
    return f"{len(files)} files that only their owner reads"


def _is_bare(path: Path) -> bool:
    try:
        return others_may(path.stat().st_mode)
    except OSError:
        return False


def _tried(settings: Settings, store: KeyStore) -> str:
    versions = store.versions()
    key = secrets.token_bytes(32)
    if store.unwrap(_TRIAL_ID, store.wrap(_TRIAL_ID, key)) != key:
        raise ConfigInvalid("the key store gives another key back than it was given; take nothing more in")
    older = f"; {len(versions) - 1} older ones open" if len(versions) > 1 else ""
    return f"{settings.key_store.kind}, version {versions[-1].number} wraps and unwraps{older}"


def _secret_files(settings: Settings) -> list[Path]:
    own = settings.key_store
    named: list[Path | None] = [settings.operator_path]
    if own.kind is KeyStoreKind.FILE:
        named.append(settings.key_store_path)
    if own.kind is KeyStoreKind.VAULT:
        named += [own.vault_token_file, own.vault_role_id_file, own.vault_secret_id_file]
    if own.kind is KeyStoreKind.PKCS11:
        named.append(own.pkcs11_pin_file)
    named.append(settings.passphrase_path)
    # The mode of what systemd gives is its own affair.
    return [path for path in named if path is not None and not is_credential(path)]
