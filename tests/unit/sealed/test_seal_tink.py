"""What we seal, Tink opens; what Tink seals, we open."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, BinaryIO, Final

import pytest
import tink
from tink import streaming_aead

from caregrid.sealed import (
    SealedReader,
    new_data_key,
    new_record_id,
    open_chunks,
    open_chunks_async,
    open_file,
    open_sealed,
    read_chunks,
    seal,
    seal_chunks,
    seal_chunks_async,
    seal_file,
    sealed_length,
)
from tests.unit.sealed.samples import EDGES, MIB, pattern, pieces, pieces_async, served
from tests.unit.sealed.tink_streams import tink_open, tink_seal, tink_with

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from caregrid.sealed import RangeSource

#: Sealed by Tink 1.16.1, data key 00 01 … 1f, record id 10 11 … 1f.
SEALED_BY_TINK: Final = bytes.fromhex(
    "28586ddb479622a3f8f7438e24806594561a3b5de760cb2bd732a406f6f16c088f33a5c226e07173"
    "892d242462bc34d5adea1da9b01a9f855f9df997a918b30ec3e85ea3136b"
)


@pytest.fixture(scope="module", autouse=True)
def _registered() -> None:
    streaming_aead.register()


@pytest.mark.parametrize("length", EDGES)
def test_tink_opens_what_we_seal(length: int) -> None:
    """A reader with any Tink library needs nothing of ours but the data key."""
    data_key, record_id, plain = new_data_key(), new_record_id(), pattern(length)
    assert plain == tink_open(data_key, record_id, seal(data_key, record_id, plain))


@pytest.mark.parametrize("length", EDGES)
def test_we_open_what_tink_seals(length: int) -> None:
    """A record sealed by another Tink program is ours to read, and has the length we predict."""
    data_key, record_id, plain = new_data_key(), new_record_id(), pattern(length)
    sealed = tink_seal(data_key, record_id, plain)
    assert sealed_length(length) == len(sealed)
    assert plain == open_sealed(data_key, record_id, sealed)


@pytest.mark.parametrize("length", EDGES)
async def test_every_way_writes_and_reads_tinks_bytes(length: int, tmp_path: Path) -> None:
    """Chunks that match no segment, awaited ones, files and ranges are the same format, both ways."""
    data_key, record_id, plain = new_data_key(), new_record_id(), pattern(length)
    chunks, awaited = pieces(plain, 99_991), pieces_async(plain, 77_773)
    (tmp_path / "plain").write_bytes(plain)
    seal_file(data_key, record_id, tmp_path / "plain", tmp_path / "sealed")
    for sealed in (
        b"".join(seal_chunks(data_key, record_id, chunks)),
        b"".join([chunk async for chunk in seal_chunks_async(data_key, record_id, awaited)]),
        (tmp_path / "sealed").read_bytes(),
    ):
        assert plain == tink_open(data_key, record_id, sealed)
    theirs = tink_seal(data_key, record_id, plain)
    (tmp_path / "sealed").write_bytes(theirs)
    assert length == open_file(data_key, record_id, tmp_path / "sealed", tmp_path / "opened")
    assert plain == (tmp_path / "opened").read_bytes()
    assert plain == b"".join(open_chunks(data_key, record_id, pieces(theirs, 77_773)))
    opening = open_chunks_async(data_key, record_id, pieces_async(theirs, 99_991))
    assert plain == await joined(opening)
    reader = SealedReader(data_key, record_id, served(theirs, 333_333), len(theirs))
    assert plain == await joined(reader.stream())
    for offset in {0, length // 2, length - 1} if length else ():
        assert plain[offset : offset + 100] == await reader.read(offset, min(100, length - offset))


async def joined(chunks: AsyncIterator[bytes]) -> bytes:
    """Gather what is awaited."""
    return b"".join([chunk async for chunk in chunks])


LONG: Final = 100 * MIB


def long_plaintext() -> Iterator[bytes]:
    """Give 100 MiB in which no two MiB are alike, in chunks that match no segment."""
    for number in range(LONG // 200_000):
        yield number.to_bytes(8, "big") * 25_000
    yield bytes(LONG % 200_000)


def digest_of(chunks: Iterator[bytes]) -> bytes:
    """Hash a stream."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.digest()


async def test_a_hundred_mebibytes_go_both_ways(tmp_path: Path) -> None:
    """Sealed by us, opened by Tink; sealed by Tink, opened by us, whole and in ranges; all streaming."""
    data_key, record_id, path = new_data_key(), new_record_id(), tmp_path / "sealed"
    expected, primitive = digest_of(long_plaintext()), tink_with(data_key)
    with path.open("wb") as target:
        for sealed in seal_chunks(data_key, record_id, long_plaintext()):
            target.write(sealed)
    assert sealed_length(LONG) == path.stat().st_size
    with path.open("rb") as file, primitive.new_decrypting_stream(file, record_id) as stream:
        assert expected == digest_of(read_chunks(stream))
    with primitive.new_encrypting_stream(path.open("wb"), record_id) as stream:
        for plain in long_plaintext():
            stream.write(plain)
    with path.open("rb") as file:
        assert expected == digest_of(open_chunks(data_key, record_id, read_chunks(file)))
        reader = SealedReader(data_key, record_id, served_from(file), path.stat().st_size)
        for number in (0, 5, 262, 523):
            found = await reader.read(number * 200_000 + 8, 16)
            assert number.to_bytes(8, "big") * 2 == found
        assert bytes(LONG % 200_000) == await joined(reader.stream(LONG // 200_000 * 200_000))


def served_from(file: BinaryIO) -> RangeSource:
    """Serve ranges of an open file."""

    async def source(offset: int, length: int) -> AsyncIterator[bytes]:
        file.seek(offset)
        yield file.read(length)

    return source


def test_tink_binds_the_record_id_as_we_do() -> None:
    """Under another record id, Tink refuses what we sealed."""
    data_key = new_data_key()
    sealed = seal(data_key, new_record_id(), b"blood group 0")
    with pytest.raises((tink.TinkError, OSError)):
        tink_open(data_key, new_record_id(), sealed)


def test_old_records_stay_readable() -> None:
    """A record sealed once by Tink, kept as literal bytes, opens for ever."""
    assert open_sealed(bytes(range(32)), bytes(range(16, 32)), SEALED_BY_TINK) == b"sealed in 2026"
