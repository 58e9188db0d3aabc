"""Compressed content is unpacked within bounds, and bombs are not."""

from __future__ import annotations

import gzip
import json
import tracemalloc

import pytest

from caregrid.content import Gunzip, unpack
from caregrid.content.unpacking import MAX_RATIO, RATIO_FROM_BYTES
from caregrid.errors import InputInvalid, InputTooLarge, MediaTypeUnsupported

LIMIT = 64 * 1024 * 1024
CONTENT = json.dumps([{"n": number} for number in range(100_000)]).encode()


@pytest.mark.parametrize("encoding", ["gzip", " GZIP ", "x-gzip"])
def test_gzip_is_undone(encoding: str) -> None:
    """What was compressed comes back byte for byte."""
    assert CONTENT == unpack(gzip.compress(CONTENT, mtime=0), encoding, limit=LIMIT)


@pytest.mark.parametrize("encoding", ["", "identity"])
def test_plain_content_stays(encoding: str) -> None:
    """Without an encoding nothing happens, gzip content included."""
    packed = gzip.compress(CONTENT, mtime=0)
    assert unpack(packed, encoding, limit=LIMIT) is packed


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip"])
def test_other_encodings_are_refused(encoding: str) -> None:
    """What is not undone is refused."""
    with pytest.raises(MediaTypeUnsupported):
        unpack(b"x", encoding, limit=LIMIT)


def test_limit_is_exact() -> None:
    """Content of the limit passes, one byte more does not."""
    packed = gzip.compress(CONTENT, mtime=0)
    assert CONTENT == unpack(packed, "gzip", limit=len(CONTENT))
    with pytest.raises(InputTooLarge):
        unpack(packed, "gzip", limit=len(CONTENT) - 1)


def test_bomb_is_refused_early() -> None:
    """A bomb of 1 GiB is refused at its ratio, long before it is unpacked."""
    bomb = gzip.compress(bytes(1 << 30), 1)
    tracemalloc.start()
    with pytest.raises(InputTooLarge) as caught:
        unpack(bomb[: 64 * 1024], "gzip", limit=1 << 31)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.limit == max(RATIO_FROM_BYTES, MAX_RATIO * 64 * 1024)
    assert peak < 3 * MAX_RATIO * 64 * 1024


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        gzip.compress(CONTENT, mtime=0)[:-1],
        gzip.compress(CONTENT, mtime=0) + b"x",
        b"\x1f\x8b\x08" + bytes(20),
    ],
)
def test_damaged_content_is_refused(content: bytes) -> None:
    """What is cut off, followed by something, or no gzip at all is refused."""
    with pytest.raises(InputInvalid):
        unpack(content, "gzip", limit=LIMIT)


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
@pytest.mark.parametrize("length", [0, 1, 256 * 1024, 256 * 1024 + 1, 1 << 20])
def test_pieces_are_those_of_the_whole(size: int, length: int) -> None:
    """However content arrives, what it holds comes out, and nothing is left inside."""
    content = bytes(length)
    packed = gzip.compress(content, mtime=0)
    gunzip = Gunzip(LIMIT)
    pieces = [piece for at in range(0, len(packed), size) for piece in gunzip.feed(packed[at : at + size])]
    gunzip.finish()
    assert content == b"".join(pieces)
    assert all(len(piece) <= 256 * 1024 for piece in pieces)


@pytest.mark.parametrize("more", [b"x", gzip.compress(b"x", mtime=0)])
def test_what_follows_later_is_refused(more: bytes) -> None:
    """Something behind the end is refused, also when it comes by itself."""
    gunzip = Gunzip(LIMIT)
    assert [b"{}"] == list(gunzip.feed(gzip.compress(b"{}", mtime=0)))
    with pytest.raises(InputInvalid):
        list(gunzip.feed(more))
