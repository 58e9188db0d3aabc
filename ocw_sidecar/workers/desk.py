"""What the workers that follow the chain work with, beside the pipeline's bench."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocw_sidecar.clock.controls import Controls
    from ocw_sidecar.clock.port import BlockLog
    from ocw_sidecar.ledger.port import Ledger
    from ocw_sidecar.ledger.proofs import ProofBook
    from ocw_sidecar.ledger.restoring import Restorer
    from ocw_sidecar.ledger.storage import StorageBook
    from ocw_sidecar.metrics import Metrics
    from ocw_sidecar.notifications.port import Notices
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.compaction import CompactionBook
    from ocw_sidecar.pipeline.erasing import Eraser


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """The tools that these workers share."""

    bench: Bench
    block_log: BlockLog
    ledger: Ledger
    restorer: Restorer
    storage: StorageBook
    compaction: CompactionBook
    proofs: ProofBook
    eraser: Eraser
    controls: Controls
    notices: Notices
    metrics: Metrics

    @property
    def organisation(self) -> bytes:
        """Whose records these are."""
        return self.bench.settings.organisation
