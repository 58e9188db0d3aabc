"""How a transfer is cut into requests, and how often it is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from caregrid.errors import ConfigInvalid

_MIB: Final = 1024 * 1024
_MAX_CHUNK: Final = 1024 * _MIB


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferPolicy:
    """What one store does by itself before it reports an error."""

    chunk_size: int = 8 * _MIB  #: bytes of one request of an upload that can be resumed
    attempts: int = 3  #: in a row that bring nothing forward, the first one included
    first_delay_s: float = 0.2  #: it doubles from attempt to attempt
    longest_delay_s: float = 8.0  #: a gateway that asks for more time than this is not waited for

    def __post_init__(self) -> None:
        if not 1 <= self.chunk_size <= _MAX_CHUNK or self.attempts < 1:
            raise ConfigInvalid("a chunk has 1 byte to 1 GiB, and there is at least one attempt")

    def delay_s(self, failures: int) -> float | None:
        """Return how long to wait after this many failures in a row; None to give up."""
        if failures >= self.attempts:
            return None
        return float(min(self.first_delay_s * 2 ** (failures - 1), self.longest_delay_s))
