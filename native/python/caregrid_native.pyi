"""What Python cannot do fast enough."""

from collections.abc import Sequence

def combine(rows: Sequence[bytes], shards: Sequence[bytes], /) -> bytes:
    """Return `sum(rows[r][k] * shards[k])` for one row after the other, in GF(2^8) with CESS's polynomial.

    Other threads run meanwhile.

    Raises:
        ValueError: the shards differ in length, or a row has not one coefficient for each of them.
    """
