"""CareGrid's client SDK: private, durable, shareable medical records.

The asynchronous client is :class:`EmrClient`; :mod:`caregrid.sync` has one that blocks. Everything that can
go wrong stands in :mod:`caregrid.errors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caregrid.errors import CaregridError
from caregrid.records import RecordFormat

if TYPE_CHECKING:
    from caregrid.client import EmrClient

__all__ = ["CaregridError", "EmrClient", "RecordFormat"]


def __getattr__(name: str) -> object:
    # Loaded on first use: small programs of the project need the errors and not the client's libraries.
    if name == "EmrClient":
        from caregrid.client import EmrClient  # noqa: PLC0415 - see above

        return EmrClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
