"""When trouble begins, lasts and ends, and when an object is repaired."""

from __future__ import annotations

import pytest

from caregrid.errors import ConfigInvalid
from caregrid.storage.health import Condition, Health
from ocw_sidecar.ledger.storage import StorageTrouble
from ocw_sidecar.settings import Settings
from ocw_sidecar.settings.workers import StorageHealthSettings
from ocw_sidecar.workers.storage_course import Course

OBJECT = b"\x0b" * 32
COURSE = Course.of(StorageHealthSettings())
#: Trouble begins below two and a half copies' worth and ends at three.
WIDE = Course.of(StorageHealthSettings(min_replicas=2.5, end_replicas=3.0, min_nodes=10))


def health(living: int, nodes: int | None = None) -> Health:
    """Return the health of 4+8 fragments."""
    return Health(needed=4, total=12, living=living, nodes=living if nodes is None else nodes)


def trouble(since: int, repaired_at: int | None = None) -> StorageTrouble:
    """Return a trouble that an earlier look found."""
    return StorageTrouble(object_id=OBJECT, since=since, repaired_at=repaired_at)


def test_a_sound_object_is_left_alone() -> None:
    """No trouble, no repair."""
    verdict = COURSE.judge(health(12), None, 100)
    assert (Condition.SOUND, False, False) == (verdict.condition, verdict.in_trouble, verdict.repair)


@pytest.mark.parametrize(
    ("living", "known", "height", "repair"),
    [
        (11, None, 100, False),  # seen for the first time: a node may be restarting
        (11, trouble(100), 100, False),  # the same run, done again
        (11, trouble(100), 200, True),  # still so
        (7, None, 100, True),  # little is left
        (3, None, 100, True),  # other segments may still be saved
        (11, trouble(100, 200), 300, False),  # a repair did not help a short while ago
        (7, trouble(100, 200), 799, False),
        (7, trouble(100, 200), 800, True),
    ],
)
def test_repairs_wait_for_a_second_look_and_for_each_other(
    living: int, known: StorageTrouble | None, height: int, *, repair: bool
) -> None:
    """At once where little is left; never twice within the set number of blocks."""
    verdict = COURSE.judge(health(living), known, height)
    assert verdict.in_trouble
    assert repair is verdict.repair


@pytest.mark.parametrize(
    ("living", "known", "in_trouble"),
    [
        (10, None, False),  # above the mark that trouble begins at
        (9, None, True),
        (10, trouble(100), True),  # not yet at the mark that it ends at
        (11, trouble(100), True),
        (12, trouble(100), False),
    ],
)
def test_trouble_ends_higher_than_it_begins(
    living: int, known: StorageTrouble | None, *, in_trouble: bool
) -> None:
    """Between the marks an object stays what it was, so nobody is told of it again and again."""
    assert in_trouble is WIDE.judge(health(living), known, 200).in_trouble


def test_too_few_nodes_are_trouble() -> None:
    """Twelve fragments on eleven nodes: one node takes two of them along."""
    assert COURSE.judge(health(12, nodes=11), None, 100).in_trouble


def test_marks_in_the_wrong_order_are_refused() -> None:
    """The message names both."""
    with pytest.raises(ConfigInvalid, match=r"end_replicas is below min_replicas"):
        Settings.load(
            organisation="0x" + bytes(32).hex(),
            workers={"storage_health": {"min_replicas": 3, "end_replicas": 2}},
        )
