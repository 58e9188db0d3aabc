"""Data keys wrapped for a reader and unwrapped by him."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from caregrid.keys.hpke import EncryptionKeyPair, unwrap_data_key, wrap_data_key
from caregrid.sealed import new_data_key, new_record_id

if TYPE_CHECKING:
    from collections.abc import Callable

_ACCOUNT: Final = bytes(range(32))


def wraps(seconds: float) -> tuple[float, float]:
    """Return wraps and unwraps a second of a core."""
    pair, key, record_id = EncryptionKeyPair.generate(), new_data_key(), new_record_id()
    wrapped = wrap_data_key(pair.public_key, key, record_id, _ACCOUNT)
    wrapping = _rate(lambda: wrap_data_key(pair.public_key, key, record_id, _ACCOUNT), seconds)
    unwrapping = _rate(lambda: unwrap_data_key(pair, wrapped, record_id, _ACCOUNT), seconds)
    return wrapping, unwrapping


def _rate(work: Callable[[], object], seconds: float) -> float:
    done, begun = 0, time.thread_time()
    while time.thread_time() - begun < seconds:
        for _ in range(100):
            work()
        done += 100
    return done / (time.thread_time() - begun)
