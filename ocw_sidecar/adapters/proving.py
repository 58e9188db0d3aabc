"""Opens what proofs of storage need: the gateways' routes for them, and the secret proof key."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from caregrid.auditing import open_proving_store
from caregrid.disk import replacing
from caregrid.errors import ConfigInvalid, InputInvalid
from caregrid.keys.secret_file import require_private
from caregrid.proofs.podr2 import Scheme, SecretKey, keygen
from ocw_sidecar.ports import Proving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from caregrid.keys import Identity
    from caregrid.proofs.proving_store import ProvingStore
    from ocw_sidecar.settings import Settings

_KEY_LEN: Final = 33


@asynccontextmanager
async def open_proving(settings: Settings, identity: Identity) -> AsyncIterator[Proving | None]:
    """Open it, and close it at the end; None where the network is CESS, or proofs are switched off.

    The key is made where there is none.

    Raises:
        ConfigInvalid: the key's file cannot be used, or a gateway's URL.
        KeyStoreLocked: others can read the key.
    """
    if settings.storage.cess.is_used or not settings.workers.integrity.proofs:
        yield None
        return
    secret = await asyncio.to_thread(proof_key, settings.proof_key_path)
    store = open_proving_store(settings.gateways, identity.account, identity.sign, settings.territory)
    try:
        yield await asyncio.to_thread(proving_with, store, secret)
    finally:
        await store.close()


def proving_with(store: ProvingStore, secret: SecretKey) -> Proving:
    """Return nodes with the keys that follow from a secret one of the public scheme.

    Both schemes derive theirs from one seed, each under labels of its own.
    """
    seed = secret.encode()[1:]
    return Proving(
        store=store, secret=secret, public=secret.public_key(), private=keygen(Scheme.PRIVATE, seed)
    )


def proof_key(path: Path) -> SecretKey:
    """Return the key in a file, as `caregrid audit` reads it; make one where there is no file.

    Raises:
        ConfigInvalid: it cannot be read or written, or holds something else.
        KeyStoreLocked: others can read it.
    """
    try:
        if not path.exists():
            with replacing(path) as file:
                file.write(keygen(Scheme.PUBLIC).encode())
        with path.open("rb") as opened:
            require_private(opened, path)
            key = SecretKey.decode(opened.read(_KEY_LEN + 1))
    except (OSError, InputInvalid) as exc:
        raise ConfigInvalid(f"{path} is no secret proof key, or its folder is not there") from exc
    if key.scheme is not Scheme.PUBLIC:
        raise ConfigInvalid(f"{path} holds a proof key of the private scheme; give one of the public scheme")
    return key
