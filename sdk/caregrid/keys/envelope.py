"""The form of a wrapped key: which version of the master key wrapped it, and what that version made.

Version 1 is the byte 0x01; a later one is 0x02 and its number in four bytes, the highest first. So each
version has one form, and the beginning of a row says which it is.
"""

from __future__ import annotations

from typing import Final

from caregrid.errors import InputInvalid, WrongKey
from caregrid.records import RECORD_ID_LEN

DATA_KEY_LEN: Final = 32
MAX_VERSION: Final = 2**32 - 1
#: No store's form of a wrapped data key comes near this.
MAX_WRAPPED_LEN: Final = 512

_FIRST: Final = b"\x01"
_LATER: Final = b"\x02"
_NUMBER_LEN: Final = 4
_CONTEXT: Final = b"caregrid/custodian-key/v1"


def header(version: int) -> bytes:
    """Return what a key wrapped by this version begins with.

    Raises:
        InputInvalid: versions count from 1 to 2^32 - 1.
    """
    if not 1 <= version <= MAX_VERSION:
        raise InputInvalid(f"a version of a master key is a number from 1 to {MAX_VERSION}")
    return _FIRST if version == 1 else _LATER + version.to_bytes(_NUMBER_LEN, "big")


def split(wrapped: bytes) -> tuple[int, bytes]:
    """Return the version and what it made.

    Raises:
        WrongKey: these bytes have another form.
    """
    if len(wrapped) > MAX_WRAPPED_LEN:
        raise WrongKey
    if wrapped[:1] == _FIRST:
        return 1, wrapped[1:]
    version = int.from_bytes(wrapped[1 : 1 + _NUMBER_LEN], "big")
    if wrapped[:1] != _LATER or len(wrapped) <= 1 + _NUMBER_LEN or version <= 1:
        raise WrongKey
    return version, wrapped[1 + _NUMBER_LEN :]


def context(record_id: bytes) -> bytes:
    """Return what binds a wrapped key to its record.

    Raises:
        InputInvalid: the record id has the wrong length.
    """
    if len(record_id) != RECORD_ID_LEN:
        raise InputInvalid(f"a record id has {RECORD_ID_LEN} bytes, not {len(record_id)}")
    return _CONTEXT + record_id


def require_data_key(data_key: bytes) -> None:
    """Refuse what cannot be a data key.

    Raises:
        InputInvalid: it has the wrong length.
    """
    if len(data_key) != DATA_KEY_LEN:
        raise InputInvalid(f"a data key has {DATA_KEY_LEN} bytes, not {len(data_key)}")
