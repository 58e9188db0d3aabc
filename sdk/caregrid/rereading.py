"""Reading a record that moves meanwhile.

A custodian may have a record lie in another object, or seal it anew, at any time. Who asked the chain just
before, and storage just after, finds the object gone, or bytes that are not what the chain said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from caregrid.errors import IntegrityFailed, ObjectUnknown, WrongKey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from caregrid.chain import Record

T = TypeVar("T")

#: What a read fails with when what the chain said of the record is not so any more.
_STALE: Final = (ObjectUnknown, IntegrityFailed, WrongKey)


async def with_fresh_facts(
    facts: Callable[[], Awaitable[Record]], read: Callable[[Record], Awaitable[T]]
) -> T:
    """Return what `read` makes of a record; once more if it fails and the record lies elsewhere by then.

    Args:
        facts: asks the chain for the record.
        read: reads it; must begin anew each time.

    Raises:
        CaregridError: what `facts` raises; what `read` raised, if the record has not moved; and what it
            raises the second time.
    """
    first = await facts()
    try:
        return await read(first)
    except _STALE:
        second = await facts()
        if second == first:
            raise
    return await read(second)
