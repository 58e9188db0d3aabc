"""The list of what an account stored, page by page."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from caregrid.storage.deoss import answers, deadlines

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from caregrid.storage.deoss.identity import Identity
    from caregrid.storage.deoss.transport import Transport
    from caregrid.storage.port import StoredEntry

PAGE_SIZE: Final = 1000
#: Stock DeOSS sends all files of an account at once; this is room for some 200,000.
_MAX_LIST_SIZE: Final = 32 * 1024 * 1024


class Listing:
    """Lists through one gateway, which may or may not know pages."""

    def __init__(self, gateway: Transport, identity: Identity) -> None:
        self._gateway, self._identity = gateway, identity

    async def entries(self, after: bytes | None) -> AsyncGenerator[StoredEntry]:
        """Yield every entry behind `after`, by object id, each once."""
        while True:
            page = await self._page(after)
            found = {entry.object_id: entry for entry in page if after is None or entry.object_id > after}
            for object_id in sorted(found):
                yield found[object_id]
            # Stock DeOSS ignores where to begin and how many to send, and gives all of it, in its own order.
            if len(page) != PAGE_SIZE or not found:
                return
            after = max(found)

    async def _page(self, after: bytes | None) -> list[StoredEntry]:
        query = {
            "Account": self._identity.address,
            "Territory": self._identity.territory,
            "limit": str(PAGE_SIZE),
            **({} if after is None else {"after": after.hex()}),
        }
        data = await self._gateway.ask(
            "GET", "file/list", params=query, limit=_MAX_LIST_SIZE, deadline_s=deadlines.LIST_TIMEOUT_S
        )
        return await asyncio.to_thread(answers.entries, data)
