"""What the HTTP API takes, and from whom how much."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import ByteSize, Field, PositiveInt

from ocw_sidecar.settings.part import Part

_KIB: Final = 1 << 10
_MIB: Final = 1 << 20

#: More requests a minute than any machine answers.
MAX_RATE: Final = 10_000_000

Rate = Annotated[int, Field(ge=1, le=MAX_RATE)]


class ApiSettings(Part):
    """The table `[api]`; rates are per minute."""

    authorities: tuple[str, ...] = ()  #: names that signed requests may be sent to; default: where we listen
    clock_tolerance_s: float = Field(default=60.0, ge=1, le=600)  #: between a signer's clock and ours

    request_rate: Rate = 600_000  #: of one caller
    key_release_rate: Rate = 6_000  #: data keys for one caller
    guest_rate: Rate = 60_000  #: signed requests of all accounts that are no operators, together
    failure_rate: Rate = 60  #: refused log-ins of one address, before it has to wait

    uploads: PositiveInt = 512  #: arriving at once
    uploads_per_caller: PositiveInt = 256

    batch_limit: ByteSize = Field(default=ByteSize(64 * _MIB), ge=1)  #: bytes of one NDJSON request
    signed_batch_limit: ByteSize = Field(default=ByteSize(8 * _MIB), ge=1, le=64 * _MIB)  #: held in memory
    batch_lines: int = Field(default=10_000, ge=1, le=100_000)  #: lines of one NDJSON request
    line_limit: ByteSize = Field(default=ByteSize(1024 * _KIB), ge=64, le=64 * _MIB)  #: bytes of one line
