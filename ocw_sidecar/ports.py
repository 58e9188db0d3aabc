"""The outside world as the sidecar uses it; the supervisor builds the real one, tests pass twins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from caregrid.chain.port import Chain, Submitter
    from caregrid.fhir.port import Validator
    from caregrid.keys.port import KeyStore
    from caregrid.storage.port import ObjectStore


def utc_now() -> datetime:
    """Return the aware UTC time."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """Everything the sidecar talks to."""

    chain: Chain
    submitter: Submitter
    store: ObjectStore
    key_store: KeyStore
    validator: Validator
    now: Callable[[], datetime] = utc_now
