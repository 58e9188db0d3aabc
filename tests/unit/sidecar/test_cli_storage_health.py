"""`caregrid storage check|verify|repair` on a store in memory: lines, summaries, exit codes."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from caregrid.errors import (
    CaregridError,
    FileIdMismatch,
    FragmentsMissing,
    StorageUnreachable,
    Unauthorised,
)
from caregrid.storage import (
    Fragment,
    MemoryObjectStore,
    ObjectStat,
    Placement,
    SegmentFragments,
)
from ocw_sidecar.cli import storage_opening
from ocw_sidecar.cli.storage import app
from ocw_sidecar.cli.storage_lines import Line
from ocw_sidecar.cli.storage_opening import Opened
from ocw_sidecar.cli.storage_scan import Tally, each, sampled, scan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from typer.testing import Result

UNKNOWN = "0f" * 32


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryObjectStore:
    """What every command works with."""
    kept = MemoryObjectStore()

    @asynccontextmanager
    async def opened(_profile: Path, _config: Path | None) -> AsyncIterator[Opened]:
        yield Opened(store=kept, settings=None)

    monkeypatch.setattr(storage_opening, "opened", opened)
    return kept


@pytest.fixture
def objects(store: MemoryObjectStore, tmp_path: Path) -> list[str]:
    """Five objects, by id."""
    path, ids = tmp_path / "plain", []
    for number in range(5):
        path.write_bytes(bytes([number + 1]) * 100)
        ids.append(asyncio.run(store.put(path)).hex())
    return sorted(ids)


def invoke(*arguments: str) -> Result:
    """Run a command."""
    return CliRunner().invoke(app, list(arguments))


def lines_of(result: Result) -> list[dict[str, Any]]:
    """Return what was printed for each object, by id."""
    return sorted((json.loads(line) for line in result.stdout.splitlines()), key=lambda line: line["object"])


def place(store: MemoryObjectStore, living: int) -> None:
    """Let so many fragments live."""
    store.placement = Placement(needed=4, total=12, living=living, nodes=living)


def test_all_well_is_zero(store: MemoryObjectStore, objects: list[str]) -> None:
    """A line for each object, the summary on standard error."""
    assert store
    result = invoke("check", "--all")
    assert 0 == result.exit_code
    assert objects == [line["object"] for line in lines_of(result)]
    assert {("sound", 1.0, 3.0, 12)} == {
        (line["state"], line["health"], line["replicas"], line["nodes"]) for line in lines_of(result)
    }
    assert "5 objects: 5 sound; worst health 1.000\n" == result.stderr


@pytest.mark.parametrize(("living", "state"), [(11, "troubled"), (5, "critical"), (3, "lost")])
def test_some_troubled_is_one(store: MemoryObjectStore, objects: list[str], living: int, state: str) -> None:
    """Below three copies' worth an object is in trouble."""
    place(store, living)
    result = invoke("check", *objects[:2], "--json")
    assert 1 == result.exit_code
    assert [state, state] == [line["state"] for line in lines_of(result)]
    summary = json.loads(result.stderr)
    assert (2, 2) == (summary["objects"], summary[state])


def test_the_cutoff_can_be_set(store: MemoryObjectStore, objects: list[str]) -> None:
    """A site with ten nodes does not ask for twelve."""
    place(store, 10)
    assert 1 == invoke("check", *objects).exit_code
    assert 0 == invoke("check", *objects, "--min-replicas", "2.5", "--min-nodes", "10").exit_code


def test_an_unknown_object_is_lost(store: MemoryObjectStore, objects: list[str]) -> None:
    """It has no health left, whichever command looks; the others are looked at all the same."""
    assert store
    for command in ("check", "verify", "repair"):
        result = invoke(command, UNKNOWN, objects[0])
        assert 1 == result.exit_code
        states = {line["object"]: (line["state"], line["health"]) for line in lines_of(result)}
        assert {UNKNOWN: ("lost", 0.0), objects[0]: ("sound", 1.0)} == states


@pytest.mark.parametrize(
    "wrong",
    [[], ["--all", "--sample", "3"], [UNKNOWN, "--all"], ["--sample", "0"], ["--all", "--at-once", "0"]],
)
def test_a_wrong_command_line_is_two(store: MemoryObjectStore, wrong: list[str]) -> None:
    """Objects, --all or --sample: exactly one of them."""
    assert store
    for command in ("check", "verify", "repair"):
        result = invoke(command, *wrong)
        assert (2, "") == (result.exit_code, result.stdout)


def test_without_a_network_the_errors_own_code_is_told(
    store: MemoryObjectStore, objects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When nothing could be looked at for one and the same reason; each line has it, too."""

    async def unreachable(_object_id: bytes) -> ObjectStat:
        raise StorageUnreachable

    monkeypatch.setattr(store, "stat", unreachable)
    result = invoke("check", *objects)
    assert StorageUnreachable.exit_code == result.exit_code
    assert {("failed", "STORAGE_UNREACHABLE")} == {
        (line["state"], line["error"]) for line in lines_of(result)
    }


def test_one_object_that_fails_is_one(
    store: MemoryObjectStore, objects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is found of the others still counts."""
    stat = store.stat

    async def sometimes(object_id: bytes) -> ObjectStat | None:
        if object_id.hex() == objects[0]:
            raise StorageUnreachable
        return await stat(object_id)

    monkeypatch.setattr(store, "stat", sometimes)
    result = invoke("check", "--all")
    assert 1 == result.exit_code
    assert ["failed", *["sound"] * 4] == [line["state"] for line in lines_of(result)]


def test_a_list_that_breaks_off_ends_the_scan(
    store: MemoryObjectStore, objects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never is a part taken for all of it."""

    async def broken() -> AsyncIterator[bytes]:
        yield bytes.fromhex(objects[0])
        raise StorageUnreachable

    monkeypatch.setattr(Opened, "objects", lambda _self: broken())
    result = invoke("check", "--all")
    assert isinstance(result.exception, StorageUnreachable)
    assert store


def test_a_network_that_tells_nothing_is_no_trouble(
    store: MemoryObjectStore, objects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stock DeOSS counts no fragments: what is not known is not invented."""
    stat = store.stat

    async def untold(object_id: bytes) -> ObjectStat | None:
        found = await stat(object_id)
        return None if found is None else replace(found, placement=None)

    async def nothing(*_: object, **__: object) -> None:
        return None

    monkeypatch.setattr(store, "stat", untold)
    monkeypatch.setattr(store, "fragments", nothing)
    monkeypatch.setattr(store, "repair", nothing)
    for command in (["check"], ["verify"], ["verify", "--download"], ["repair"]):
        result = invoke(*command, objects[0])
        assert 0 == result.exit_code
        [line] = lines_of(result)
        assert "untold" == line["state"]
        assert "health" not in line


def segments(bad: list[tuple[int, int]], count: int = 2) -> tuple[SegmentFragments, ...]:
    """Return segments with some fragments that are not as they should be."""
    coded = [tuple(fragment(number, index, bad) for index in range(12)) for number in range(count)]
    return tuple(SegmentFragments(digest=bytes(32), fragments=fragments) for fragments in coded)


def fragment(number: int, index: int, bad: list[tuple[int, int]]) -> Fragment:
    """Return a fragment of a segment."""
    living = (number, index) not in bad
    return Fragment(index=index, digest=bytes(32), node=f"node-{index}", living=living)


def test_verify_names_damaged_fragments(
    store: MemoryObjectStore, objects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are there, so `check` finds nothing; reading them does. The worst segment counts."""

    async def damaged(_object_id: bytes, *, checked: bool = False) -> tuple[SegmentFragments, ...]:
        return segments([(1, 3), (1, 7)] if checked else [])

    monkeypatch.setattr(store, "fragments", damaged)
    assert 0 == invoke("check", objects[0]).exit_code
    result = invoke("verify", objects[0])
    assert 1 == result.exit_code
    [line] = lines_of(result)
    assert ("troubled", 0.75, 2, 2) == (line["state"], line["health"], line["bad"], line["segments"])
    assert {"segment": 1, "fragment": 3, "node": "node-3"} == line["bad_fragments"][0]


def test_a_line_stays_short(
    store: MemoryObjectStore, objects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All damage is counted, the first of it named."""

    async def damaged(_object_id: bytes, *, checked: bool = False) -> tuple[SegmentFragments, ...]:
        assert checked
        return segments([(number, 0) for number in range(100)], count=100)

    monkeypatch.setattr(store, "fragments", damaged)
    [line] = lines_of(invoke("verify", objects[0]))
    assert (100, 24) == (line["bad"], len(line["bad_fragments"]))


def test_download_reads_the_whole_object(
    store: MemoryObjectStore, objects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a gateway that sends other bytes is found out."""
    [line] = lines_of(invoke("verify", objects[0], "--download"))
    assert (100, "sound") == (line["read"], line["state"])

    async def other(_object_id: bytes, _offset: int, length: int) -> AsyncIterator[bytes]:
        yield b"x" * length

    monkeypatch.setattr(store, "stream_range", other)
    result = invoke("verify", objects[0], "--download")
    assert FileIdMismatch.exit_code == result.exit_code
    [line] = lines_of(result)
    assert ("failed", "FILE_ID_MISMATCH") == (line["state"], line["error"])


def test_repair_brings_health_back(store: MemoryObjectStore, objects: list[str]) -> None:
    """The line says how many fragments were rebuilt, and how the object is now."""
    place(store, 6)
    result = invoke("repair", objects[0])
    assert 0 == result.exit_code
    [line] = lines_of(result)
    assert (6, 1.0, "sound") == (line["rebuilt"], line["health"], line["state"])


@pytest.mark.parametrize("fault", [FragmentsMissing(), Unauthorised()])
def test_a_repair_that_fails_says_why(
    store: MemoryObjectStore, objects: list[str], monkeypatch: pytest.MonkeyPatch, fault: CaregridError
) -> None:
    """With the code of its error."""

    async def vain(_object_id: bytes) -> None:
        raise fault

    monkeypatch.setattr(store, "repair", vain)
    result = invoke("repair", objects[0])
    assert fault.exit_code == result.exit_code
    assert [fault.code] == [line["error"] for line in lines_of(result)]


def test_a_sample_is_drawn_without_repetition(store: MemoryObjectStore, objects: list[str]) -> None:
    """Of five objects three; of more than there are, all."""
    assert store
    drawn = [line["object"] for line in lines_of(invoke("check", "--sample", "3"))]
    assert 3 == len(set(drawn)) == len(drawn)
    assert set(drawn) < set(objects)
    assert objects == [line["object"] for line in lines_of(invoke("check", "--sample", "99"))]


async def test_samples_are_fair() -> None:
    """Each of ten objects is among two in some two of ten draws."""
    ids = [bytes([number]) * 32 for number in range(10)]
    drawn = [object_id for _ in range(1_000) for object_id in await sampled(each(ids), 2)]
    assert all(130 < drawn.count(object_id) < 280 for object_id in ids)


async def test_not_more_are_looked_at_at_once_than_asked() -> None:
    """Three at once: never fewer while there is work, never more."""
    ids = [bytes([number]) * 32 for number in range(20)]
    under_way, most = 0, 0

    async def look(object_id: bytes) -> Line:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(5):
            await asyncio.sleep(0)
        under_way -= 1
        return Line(object_id=object_id)

    tally = Tally()
    await scan(each(ids), look, tally, at_once=3)
    assert (20, 3) == (tally.objects, most)


def test_an_interrupted_scan_says_what_it_did(
    store: MemoryObjectStore, objects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is printed is whole lines; the summary counts them; the exit code is a shell's."""
    stat = store.stat

    async def interrupted(object_id: bytes) -> ObjectStat | None:
        if object_id.hex() == objects[2]:
            raise KeyboardInterrupt
        return await stat(object_id)

    monkeypatch.setattr(store, "stat", interrupted)
    result = invoke("check", "--all", "--at-once", "1")
    assert 130 == result.exit_code
    assert objects[:2] == [line["object"] for line in lines_of(result)]
    assert "2 objects" in result.stderr
