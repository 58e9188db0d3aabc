"""Fresh data keys and record ids."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from caregrid.sealed import new_data_key, new_record_id

if TYPE_CHECKING:
    import pytest


def test_record_ids_are_uuid_version_7() -> None:
    """Version, variant and millisecond stand where RFC 9562 puts them."""
    before = time.time_ns() // 1_000_000
    record_id = uuid.UUID(bytes=new_record_id())
    after = time.time_ns() // 1_000_000
    assert (record_id.version, record_id.variant) == (7, uuid.RFC_4122)
    assert before <= record_id.int >> 80 <= after


def test_the_time_part_is_as_in_the_rfc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Appendix A.6 of RFC 9562: 2022-02-22 19:22:22 UTC; half a millisecond later is 0x800 in `rand_a`."""
    monkeypatch.setattr(time, "time_ns", lambda: 0x017F22E279B0 * 1_000_000 + 500_000)
    assert str(uuid.UUID(bytes=new_record_id()))[:18] == "017f22e2-79b0-7800"


def test_record_ids_sort_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids made a microsecond apart sort in the order they were made, over second edges too."""
    start = 1_800_000_000_999_990_000
    clock = iter(range(start, start + 1_000 * 1_000, 1_000))
    monkeypatch.setattr(time, "time_ns", lambda: next(clock))
    made = [new_record_id() for _ in range(1_000)]
    assert sorted(made) == made


def test_ids_and_keys_do_not_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even with the clock standing still, no two ids are alike; keys have 32 bytes and differ."""
    monkeypatch.setattr(time, "time_ns", lambda: 1_800_000_000_000_000_000)
    assert len({new_record_id() for _ in range(10_000)}) == 10_000
    assert {32} == {len(new_data_key()) for _ in range(10)}
    assert len({new_data_key() for _ in range(1_000)}) == 1_000
