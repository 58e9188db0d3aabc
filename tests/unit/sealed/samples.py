"""Records that the tests of sealing share, and ways to feed them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

MIB: Final = 1 << 20
#: Plaintext bytes that fill one segment, and two.
FIRST: Final = MIB - 40 - 16
SECOND: Final = FIRST + MIB - 16
#: Lengths at and around each edge.
EDGES: Final = (0, 1, FIRST - 1, FIRST, FIRST + 1, SECOND - 1, SECOND, SECOND + 1, 3 * MIB)


def pattern(length: int) -> bytes:
    """Give plaintext in which no two segments look alike."""
    return b"".join(number.to_bytes(4, "big") for number in range(length // 4 + 1))[:length]


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Yield bytes in chunks of a size."""
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def pieces_async(data: bytes, size: int) -> AsyncGenerator[bytes]:
    """As `pieces`, to be awaited."""
    for piece in pieces(data, size):
        yield piece


def served(data: bytes, size: int = MIB) -> Callable[[int, int], AsyncGenerator[bytes]]:
    """Give a source of ranges of some bytes, in chunks of a size; short where the bytes end."""
    return lambda offset, length: pieces_async(data[offset : offset + length], size)
