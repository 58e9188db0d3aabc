"""The same without `await`: a thin runner over :class:`caregrid.access.Access`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from caregrid.access.client import DEFAULT_GRANT_BLOCKS, DELIVERY_TIMEOUT_S
from caregrid.access.requests import DEFAULT_REQUEST_BLOCKS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Sequence

    from caregrid.access.client import Access, Handover
    from caregrid.blocking import Run
    from caregrid.chain.port import AccessRequest, Grant, Receipt, Scope
    from caregrid.statuses import KeyRelease

T = TypeVar("T")


class BlockingAccess:
    """As the asynchronous one, each call blocking."""

    def __init__(self, access: Access, run: Run) -> None:
        self._access, self._run = access, run

    def request(
        self, record_id: bytes, *, purpose: str = "Treatment", blocks: int = DEFAULT_REQUEST_BLOCKS
    ) -> Receipt:
        """As :meth:`caregrid.access.Access.request`."""
        return self._run(self._access.request(record_id, purpose=purpose, blocks=blocks))

    def requests(self, record_id: bytes) -> list[AccessRequest]:
        """As :meth:`caregrid.access.Access.requests`."""
        return self._run(self._access.requests(record_id))

    def requests_for(self, patient_id: bytes) -> list[AccessRequest]:
        """As :meth:`caregrid.access.Access.requests_for`, all at once."""
        return self._run(_all(self._access.requests_for(patient_id)))

    def deny(self, record_id: bytes, requester: bytes) -> Receipt:
        """As :meth:`caregrid.access.Access.deny`."""
        return self._run(self._access.deny(record_id, requester))

    def grant(
        self,
        scope: Scope,
        grantee: bytes,
        *,
        blocks: int = DEFAULT_GRANT_BLOCKS,
        purpose: str = "Treatment",
        handover: Handover | None = None,
    ) -> Receipt:
        """As :meth:`caregrid.access.Access.grant`."""
        return self._run(
            self._access.grant(scope, grantee, blocks=blocks, purpose=purpose, handover=handover)
        )

    def extend(self, scope: Scope, grantee: bytes, *, blocks: int = DEFAULT_GRANT_BLOCKS) -> Receipt:
        """As :meth:`caregrid.access.Access.extend`."""
        return self._run(self._access.extend(scope, grantee, blocks=blocks))

    def revoke(self, scope: Scope, grantee: bytes) -> Receipt:
        """As :meth:`caregrid.access.Access.revoke`."""
        return self._run(self._access.revoke(scope, grantee))

    def open_emergency(self, scope: Scope, *, reason: str) -> Receipt:
        """As :meth:`caregrid.access.Access.open_emergency`."""
        return self._run(self._access.open_emergency(scope, reason=reason))

    def set_emergency_members(self, members: Collection[bytes]) -> Receipt:
        """As :meth:`caregrid.access.Access.set_emergency_members`."""
        return self._run(self._access.set_emergency_members(members))

    def grants_on(self, scope: Scope) -> Sequence[Grant]:
        """As :meth:`caregrid.access.Access.grants_on`."""
        return self._run(self._access.grants_on(scope))

    def delivered(self, scope: Scope, grantee: bytes, *, timeout_s: float = DELIVERY_TIMEOUT_S) -> Grant:
        """As :meth:`caregrid.access.Access.delivered`."""
        return self._run(self._access.delivered(scope, grantee, timeout_s=timeout_s))

    def releases(self, record_id: bytes) -> list[KeyRelease]:
        """As :meth:`caregrid.access.Access.releases`, all at once."""
        return self._run(_all(self._access.releases(record_id)))


async def _all(found: AsyncGenerator[T]) -> list[T]:
    return [item async for item in found]
