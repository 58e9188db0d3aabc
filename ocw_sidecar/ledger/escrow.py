"""The digest by which the chain knows escrowed keys."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from caregrid.chain.port import RecordScope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.chain.port import Scope
    from ocw_sidecar.ledger.items import EscrowedKey

_LIST_TAG: Final = b"caregrid/escrow-list/v1"


def escrow_digest(scope: Scope, keys: Sequence[EscrowedKey]) -> bytes:
    """Return what stands in the grant.

    For a record: SHA-256 of the wrapped key. For a patient: SHA-256 over the tag `caregrid/escrow-list/v1`
    and, by record id, each id with the SHA-256 of its wrapped key; records that come later are not in it.
    """
    if isinstance(scope, RecordScope):
        [only] = keys
        return hashlib.sha256(only.wrapped).digest()
    digest = hashlib.sha256(_LIST_TAG)
    for key in sorted(keys, key=lambda each: each.record_id):
        digest.update(key.record_id + hashlib.sha256(key.wrapped).digest())
    return digest.digest()
