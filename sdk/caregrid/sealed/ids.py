"""Fresh data keys and record ids."""

from __future__ import annotations

import secrets
import time
from typing import Final

from caregrid.records import RECORD_ID_LEN
from caregrid.sealed.cipher import DATA_KEY_LEN

_NS_PER_MS: Final = 1_000_000
_VERSION: Final = 0x7 << 76
_VARIANT: Final = 0b10 << 62


def new_data_key() -> bytes:
    """Return 32 random bytes, the data key of one record."""
    return secrets.token_bytes(DATA_KEY_LEN)


def new_record_id() -> bytes:
    """Return a UUIDv7 (RFC 9562): 16 bytes that sort by time and carry 62 random bits.

    The 12 bits after the milliseconds are the fraction of the millisecond (method 3 of section 6.2), so ids
    made one after the other on one machine sort in that order to about 250 ns.
    """
    milliseconds, rest = divmod(time.time_ns(), _NS_PER_MS)
    fraction = (rest << 12) // _NS_PER_MS
    value = milliseconds << 80 | _VERSION | fraction << 64 | _VARIANT | secrets.randbits(62)
    return value.to_bytes(RECORD_ID_LEN, "big")
