"""A store from settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from caregrid.storage.deoss import DeossStore
from caregrid.storage.failover.store import FailoverStore
from caregrid.storage.transfers import TransferPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from caregrid.storage.failover.policy import FailoverPolicy

# With several gateways the next one is the better second attempt.
_AMONG_SEVERAL: Final = TransferPolicy(attempts=2)


def open_store(
    urls: Sequence[str],
    account: bytes,
    sign: Callable[[bytes], bytes],
    territory: str = "caregrid",
    *,
    policy: FailoverPolicy | None = None,
    transfers: TransferPolicy | None = None,
) -> FailoverStore:
    """Return a store over the gateways at these URLs, which lead to one network; does no I/O.

    `sign` returns the account's 64-byte sr25519 signature of a message.

    Raises:
        ConfigInvalid: there is no URL, or one of them or the account is not usable.
    """
    transfers = transfers or (_AMONG_SEVERAL if len(urls) > 1 else TransferPolicy())
    stores = [DeossStore(url, account, sign, territory, policy=transfers) for url in urls]
    return FailoverStore({store.url: store for store in stores}, policy)
