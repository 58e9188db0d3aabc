"""How the gateways of the storage network are used, and when to warn of a territory that runs out."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path  # noqa: TC003 - pydantic reads annotations at run time
from typing import Final

from pydantic import ByteSize, Field, PositiveFloat, PositiveInt

from caregrid.storage import TerritoryLimits, TransferPolicy
from caregrid.storage.failover import FailoverPolicy
from ocw_sidecar.settings.cess import CessSettings
from ocw_sidecar.settings.part import Part

_MIB: Final = 1 << 20
_GIB: Final = 1 << 30


class StorageSettings(Part):
    """The table `[storage]`; durations are in seconds."""

    identity_file: Path | None = None  #: who owns the objects; by default the operator
    chunk_size: ByteSize = Field(default=ByteSize(8 * _MIB), ge=1, le=_GIB)  #: what a cut upload sends anew
    attempts: PositiveInt = 2  #: of a transfer at one gateway that bring nothing forward, the first included
    failures_to_open: PositiveInt = 2  #: in a row, then a gateway is left out for a while
    open_for_s: PositiveFloat = 5.0  #: the first time; doubled with each failed trial, up to the next
    open_at_most_s: PositiveFloat = 120.0
    wait_for_busy_s: float = Field(default=10.0, ge=0)  #: while every gateway asks to be left alone
    hedge_after_s: PositiveFloat | None = None  #: ask another gateway, too; by default the usual slow answer

    warn_share: float = Field(default=0.1, ge=0, le=1)  #: of the territory; with less left there is a notice
    warn_space: ByteSize = Field(default=ByteSize(10 * _GIB), ge=0)  #: likewise, whatever its size
    warn_days: float = Field(default=14.0, ge=0, le=3650)  #: before its end

    cess: CessSettings = CessSettings()  #: the chain, where this is the CESS network

    def failover(self) -> FailoverPolicy:
        """Return how one gateway stands in for another."""
        return FailoverPolicy(
            failures_to_open=self.failures_to_open,
            open_for_s=self.open_for_s,
            open_at_most_s=max(self.open_for_s, self.open_at_most_s),
            wait_for_busy_s=self.wait_for_busy_s,
            hedge_after_s=self.hedge_after_s,
        )

    def transfers(self) -> TransferPolicy:
        """Return what is tried at one gateway."""
        return TransferPolicy(chunk_size=int(self.chunk_size), attempts=self.attempts)

    def territory_limits(self) -> TerritoryLimits:
        """Return when to warn of a territory."""
        return TerritoryLimits(
            remaining_share=self.warn_share,
            remaining_bytes=int(self.warn_space),
            before_deadline=timedelta(days=self.warn_days),
        )
