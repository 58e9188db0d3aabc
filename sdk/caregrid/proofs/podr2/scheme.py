"""The two schemes, and the lengths of what they make."""

from __future__ import annotations

from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from caregrid.errors import InputInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCKS: Final = 1024
BLOCK_LEN: Final = 8192
FRAGMENT_LEN: Final = BLOCKS * BLOCK_LEN
#: Bytes of an encoded public key.
PUBLIC_KEY_LEN: Final = 12_817


class Scheme(StrEnum):
    """Who can verify."""

    PUBLIC = "public"
    PRIVATE = "private"

    @property
    def tags_len(self) -> int:
        """Bytes of a fragment's tags."""
        return 49_153 if self is Scheme.PUBLIC else 16_385

    @property
    def proof_len(self) -> int:
        """Bytes of a proof, however many blocks are asked for."""
        return 8_529 if self is Scheme.PUBLIC else 8_769


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what the native part refuses into InputInvalid; its texts hold no key and no content."""
    try:
        yield
    except (ValueError, OverflowError) as exc:
        raise InputInvalid(str(exc)) from exc
