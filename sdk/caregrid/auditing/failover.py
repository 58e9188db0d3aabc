"""Several gateways to one storage network, asked in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from caregrid.auditing.deoss import DeossProvingStore
from caregrid.errors import ConfigInvalid, StorageUnreachable
from caregrid.proofs.proving_store import FragmentPlace, ProvingStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from caregrid.proofs.podr2 import Challenge, PublicKey

T = TypeVar("T")


class FailoverProvingStore(ProvingStore):
    """Asks the next gateway when one, or the node behind it, cannot be reached."""

    def __init__(self, stores: Sequence[ProvingStore]) -> None:
        """Take over stores, the preferred one first.

        Raises:
            ConfigInvalid: there is none.
        """
        if not stores:
            raise ConfigInvalid("name at least one storage gateway")
        self._stores = tuple(stores)

    async def put_tags(self, place: FragmentPlace, tags: bytes, key: PublicKey | None) -> bytes:
        """Have tags kept; see `ProvingStore.put_tags`."""
        return await self._first(lambda store: store.put_tags(place, tags, key))

    async def held_tags(self, place: FragmentPlace) -> frozenset[bytes]:
        """Ask which tags are kept; see `ProvingStore.held_tags`."""
        return await self._first(lambda store: store.held_tags(place))

    async def prove(self, place: FragmentPlace, tags: bytes, challenge: Challenge) -> bytes:
        """Have a challenge answered; see `ProvingStore.prove`."""
        return await self._first(lambda store: store.prove(place, tags, challenge))

    async def close(self) -> None:
        """Close every gateway's connections."""
        for store in self._stores:
            await store.close()

    async def _first(self, ask: Callable[[ProvingStore], Awaitable[T]]) -> T:
        for store in self._stores[:-1]:
            try:
                return await ask(store)
            except StorageUnreachable:
                continue
        return await ask(self._stores[-1])


def open_proving_store(
    urls: Sequence[str], account: bytes, sign: Callable[[bytes], bytes], territory: str = "caregrid"
) -> FailoverProvingStore:
    """Return a store over the gateways at these URLs, which lead to one network; does no I/O.

    Raises:
        ConfigInvalid: there is no URL, or one of them or the account is not usable.
    """
    return FailoverProvingStore([DeossProvingStore(url, account, sign, territory) for url in urls])
