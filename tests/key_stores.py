"""Key stores of every kind for tests, each with a master key of its own."""

from __future__ import annotations

import secrets
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from caregrid.keys import FileKeyStore, KdfCost, MemoryKeyStore
from caregrid.keys.pkcs11_session import Pkcs11Place
from caregrid.keys.pkcs11_store import Pkcs11KeyStore
from caregrid.keys.vault_store import VaultKeyStore
from caregrid.keys.vault_transport import TokenLogin, VaultPlace
from tests.soft_hsm import MODULE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from caregrid.keys import KeyStore
    from tests.soft_hsm import SoftHsm
    from tests.vault_server import VaultServer

CHEAP: Final = KdfCost(memory_kib=8, iterations=1, lanes=1)
PASSPHRASE: Final = "correct horse"


class KeyStores:
    """Makes stores of one kind; `again` opens one as another process would."""

    def __init__(
        self,
        folder: Path,
        *,
        vault: Callable[[], VaultServer],
        hsm: Callable[[], SoftHsm],
    ) -> None:
        self._folder, self._vault, self._hsm = folder, vault, hsm
        self._open = ExitStack()
        self._reopen: dict[int, Callable[[], KeyStore]] = {}

    def new(self, kind: str) -> KeyStore:
        """Make a store with a new master key."""
        makers = {
            "memory": self._memory,
            "file": self._file,
            "vault": self._in_vault,
            "pkcs11": self._on_token,
        }
        store, reopen = makers[kind]()
        self._reopen[id(store)] = reopen
        return self._kept(store)

    def again(self, store: KeyStore) -> KeyStore:
        """Open the same store once more."""
        return self._kept(self._reopen[id(store)]())

    def close(self) -> None:
        """Close all."""
        self._open.close()

    def _kept(self, store: KeyStore) -> KeyStore:
        self._open.callback(store.close)
        return store

    def _memory(self) -> tuple[KeyStore, Callable[[], KeyStore]]:
        store = MemoryKeyStore()
        return store, lambda: store

    def _file(self) -> tuple[KeyStore, Callable[[], KeyStore]]:
        path = self._folder / secrets.token_hex(4)
        return FileKeyStore.create(path, PASSPHRASE, cost=CHEAP), lambda: FileKeyStore.open(path, PASSPHRASE)

    def _in_vault(self) -> tuple[KeyStore, Callable[[], KeyStore]]:
        vault = self._vault()
        place = VaultPlace(url=vault.url, key=secrets.token_hex(4))
        login = TokenLogin(lambda: vault.token)
        return VaultKeyStore.create(place, login), lambda: VaultKeyStore.open(place, login)

    def _on_token(self) -> tuple[KeyStore, Callable[[], KeyStore]]:
        token = self._hsm().new_token()
        place = Pkcs11Place(module=MODULE, token=token.label)
        return (
            Pkcs11KeyStore.create(place, lambda: token.pin),
            lambda: Pkcs11KeyStore.open(place, lambda: token.pin),
        )


@contextmanager
def key_stores(
    folder: Path, *, vault: Callable[[], VaultServer], hsm: Callable[[], SoftHsm]
) -> Iterator[KeyStores]:
    """Give a maker of stores for the length of the block."""
    made = KeyStores(folder, vault=vault, hsm=hsm)
    try:
        yield made
    finally:
        made.close()
