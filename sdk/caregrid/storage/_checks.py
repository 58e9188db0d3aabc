from __future__ import annotations

from caregrid.errors import InputInvalid
from caregrid.records import OBJECT_ID_LEN


def require_object_id(object_id: bytes) -> None:
    if len(object_id) != OBJECT_ID_LEN:
        raise InputInvalid(f"an object id is {OBJECT_ID_LEN} bytes, not {len(object_id)}")


def require_range(object_id: bytes, offset: int, length: int) -> None:
    require_object_id(object_id)
    if offset < 0 or length < 0:
        raise InputInvalid("offset and length of a range must not be negative")


def require_end(end: int, size: int) -> None:
    if end > size:
        raise InputInvalid(f"the range ends at {end}, past the object's {size} bytes")


def require_same_size(stored: int, given: int) -> None:
    if stored != given:
        raise InputInvalid(
            f"an object with this file id is stored with {stored} bytes, this one has {given}: "
            "they differ by trailing zero bytes, which a CESS file id does not cover; append a non-zero byte"
        )
