"""`caregrid keys reveal` and `emr get --sealed`: what a record is opened with when CareGrid is gone."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Final

import pytest
from typer.testing import CliRunner

from caregrid.chain import calls
from caregrid.client import EmrClient
from caregrid.errors import DigestMismatch, InputInvalid, InputMissing, NoGrant, RecordUnknown
from caregrid.keys import Identity
from caregrid.records import RecordFormat
from caregrid.sealed import open_file, open_sealed
from caregrid.storage import MemoryObjectStore
from caregrid.testing import MemoryChain
from ocw_sidecar.cli import keys_reveal, options, records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    import typer
    from typer.testing import Result

CONTENT: Final = b"canary-of-a-scan" * 200_000


class Clinic:
    """Two people on one chain, each its own custodian; a command acts as the one in `acting`."""

    def __init__(self) -> None:
        self.chain, self.store = MemoryChain(), MemoryObjectStore()
        self.people = [Identity.generate(), Identity.generate()]
        self.acting = 0

    def client(self) -> EmrClient:
        """Return a client of whoever acts."""
        identity = self.people[self.acting]
        return EmrClient(
            identity=identity,
            chain=self.chain,
            submitter=self.chain.submitter(identity.account),
            store=self.store,
        )

    async def submitted(self) -> bytes:
        """Submit a record and return its id."""
        client = self.client()
        await client.submitter.submit(calls.register_organisation([]))
        patient = await client.register_patient()
        done = await client.submit(CONTENT, patient_id=patient, format=RecordFormat.BINARY)
        return done.items[0].record_id


@pytest.fixture
def clinic(monkeypatch: pytest.MonkeyPatch) -> Clinic:
    """A clinic that the commands act in."""
    made = Clinic()

    def with_client(_: Path, work: Callable[[EmrClient], Awaitable[object]]) -> object:
        async def run() -> object:
            return await work(made.client())

        return asyncio.run(run())

    monkeypatch.setattr(options, "with_client", with_client)
    return made


def run(app: typer.Typer, *arguments: str, typed: str | None = None) -> Result:
    """Run a command; what it raises comes through."""
    done = CliRunner().invoke(app, list(arguments), input=typed)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_sealed_file_and_key_open_together(clinic: Clinic, tmp_path: Path) -> None:
    """What the two commands give is the content, by nothing but the sealed format."""
    record, out = asyncio.run(clinic.submitted()), tmp_path / "record.sealed"
    got = json.loads(run(records.app, "get", record.hex(), "--sealed", "--out", str(out), "--json").stdout)
    assert (out.stat().st_size, str(out)) == (got["bytes"], got["file"])
    shown = json.loads(run(keys_reveal.app, record.hex(), "--yes", "--json").stdout)
    data_key = bytes.fromhex(shown["data_key"])
    assert {"record": record.hex(), "data_key": data_key.hex()} == shown
    assert len(CONTENT) == open_file(data_key, record, out, tmp_path / "opened")
    assert CONTENT == (tmp_path / "opened").read_bytes()


def test_the_sealed_bytes_need_no_right_and_the_key_does(clinic: Clinic, tmp_path: Path) -> None:
    """Anybody may fetch what nobody can read; the key goes to whoever may read the record."""
    record, out = asyncio.run(clinic.submitted()), tmp_path / "record.sealed"
    clinic.acting = 1
    run(records.app, "get", record.hex(), "--sealed", "--out", str(out))
    assert b"canary" not in out.read_bytes()
    with pytest.raises(NoGrant):
        run(keys_reveal.app, record.hex(), "--yes")


def test_a_confirmation_is_typed(clinic: Clinic) -> None:
    """Without the word, or with nobody there to type it, no key is shown."""
    record = asyncio.run(clinic.submitted())
    shown = run(keys_reveal.app, record.hex(), typed=f"{keys_reveal.CONFIRMATION}\n")
    assert "data_key: " in shown.stdout
    assert "no grant is asked" in " ".join(shown.stderr.split())
    assert "data_key: " not in shown.stderr
    for typed in ("yes\n", "\n", ""):
        refused = CliRunner().invoke(keys_reveal.app, [record.hex()], input=typed)
        assert isinstance(refused.exception, InputInvalid)
        assert "" == refused.stdout


def test_the_key_shows_nowhere_else(clinic: Clinic, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not in logs, nor among the notes, nor in the sealed file; content neither."""
    caplog.set_level(logging.DEBUG)
    record, out = asyncio.run(clinic.submitted()), tmp_path / "record.sealed"
    fetched = run(records.app, "get", record.hex(), "--sealed", "--out", str(out))
    shown = run(keys_reveal.app, record.hex(), "--yes", "--json")
    key = json.loads(shown.stdout)["data_key"]
    for text in (caplog.text, shown.stderr, fetched.stdout, fetched.stderr):
        assert key not in text
        assert "canary" not in text
    assert bytes.fromhex(key) not in out.read_bytes()
    assert {out} == set(tmp_path.iterdir())


def test_bad_input(clinic: Clinic, tmp_path: Path) -> None:
    """No file named, no such folder, no such record, no record id."""
    record = asyncio.run(clinic.submitted()).hex()
    with pytest.raises(InputInvalid, match="--out"):
        run(records.app, "get", record, "--sealed")
    with pytest.raises(InputMissing, match="no folder"):
        run(records.app, "get", record, "--sealed", "--out", str(tmp_path / "none" / "out"))
    for arguments in (("get", "00" * 16, "--sealed", "--out", str(tmp_path / "out")),):
        with pytest.raises(RecordUnknown):
            run(records.app, *arguments)
    with pytest.raises(RecordUnknown):
        run(keys_reveal.app, "00" * 16, "--yes")
    with pytest.raises(InputInvalid, match="32 hex digits"):
        run(keys_reveal.app, "00", "--yes")
    assert [] == list(tmp_path.iterdir())


def test_other_bytes_than_the_anchored_are_not_kept(
    clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that serves a flipped bit leaves no file, and the one that was there stays."""
    record, out = asyncio.run(clinic.submitted()), tmp_path / "record.sealed"
    out.write_bytes(b"as before")
    read = clinic.store.stream_range

    async def flipped(object_id: bytes, offset: int, size: int) -> AsyncIterator[bytes]:
        last = bytearray()
        async for chunk in read(object_id, offset, size):
            last = bytearray(chunk)
            last[-1] ^= 1
            yield bytes(last)

    monkeypatch.setattr(clinic.store, "stream_range", flipped)
    with pytest.raises(DigestMismatch):
        run(records.app, "get", record.hex(), "--sealed", "--out", str(out))
    assert [out] == list(tmp_path.iterdir())
    assert out.read_bytes() == b"as before"


async def test_a_part_of_a_record(clinic: Clinic) -> None:
    """The client reads a range by fetching the segments that it lies in."""
    client = clinic.client()
    record = await clinic.submitted()
    assert CONTENT[2_000_000:2_000_100] == await client.get_range(record, 2_000_000, 100)
    with pytest.raises(InputInvalid):
        await client.get_range(record, len(CONTENT), 1)
    clinic.acting = 1
    with pytest.raises(NoGrant):
        await clinic.client().get_range(record, 0, 1)
    key = await client.reveal_data_key(record)
    found = await client.record(record)
    assert CONTENT == open_sealed(
        key, record, await clinic.store.read_range(found.object_id, 0, found.length)
    )


async def test_a_download_that_is_left_leaves_nothing(clinic: Clinic, tmp_path: Path) -> None:
    """Whoever breaks off in the middle has no file, and no part of one."""
    record = await clinic.submitted()

    def stop(done: int, total: int) -> None:
        assert 0 < done <= total
        raise KeyboardInterrupt

    for download in (clinic.client().download_sealed, clinic.client().download):
        with pytest.raises(KeyboardInterrupt):
            await download(record, tmp_path / "out", progress=stop)
    assert [] == list(tmp_path.iterdir())
