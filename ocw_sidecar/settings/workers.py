"""What each worker may do in one run."""

from __future__ import annotations

from typing import Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from caregrid.storage.health import CRITICAL_HEALTH, WANTED_NODES, WANTED_REPLICAS
from ocw_sidecar.settings.compaction import CompactionSettings
from ocw_sidecar.settings.integrity import IntegritySettings
from ocw_sidecar.settings.part import Part
from ocw_sidecar.settings.validation import ValidationSettings


class KeyDeliverySettings(Part):
    """Delivers the keys of grants that were given without one."""

    batch: int = Field(default=64, ge=1, le=128)  #: grants in one submission
    patient_records: int = Field(default=1024, ge=1, le=16_384)  #: keys escrowed for a patient-wide grant


class ExpirySettings(Part):
    """Removes what has expired and tells of what is about to."""

    batch: int = Field(default=128, ge=1, le=128)
    grace_blocks: int = Field(default=10, ge=0)  #: what the chain gets to remove by itself
    lead_blocks: int = Field(default=3_600, ge=0)  #: how long before its end a holder is told; 0: never


class StorageHealthSettings(Part):
    """Looks how well objects are stored."""

    sample: int = Field(default=32, ge=1, le=1024)  #: objects in one run
    at_once: int = Field(default=4, ge=1, le=64)
    timeout_s: PositiveFloat = 30.0  #: for one object
    min_replicas: PositiveFloat = WANTED_REPLICAS  #: fewer copies' worth are trouble
    end_replicas: PositiveFloat | None = None  #: trouble ends at this many; by default at `min_replicas`
    min_nodes: PositiveInt = WANTED_NODES  #: fewer distinct storage nodes are trouble
    repair_below: float = Field(default=CRITICAL_HEALTH, ge=0, le=1)  #: repaired at once, else seen twice
    repair_timeout_s: PositiveFloat = 600.0  #: for one object
    repair_again_blocks: int = Field(default=600, ge=0)  #: before an object is repaired once more

    @model_validator(mode="after")
    def _require_order(self) -> Self:
        if self.end_replicas is not None and self.end_replicas < self.min_replicas:
            raise ValueError("end_replicas is below min_replicas, so trouble would end before it begins")
        return self


class PurgeSettings(Part):
    """Forgets how records came in, long after they are final."""

    retention_days: PositiveInt = 30
    batch: int = Field(default=500, ge=1, le=10_000)  #: submissions in one transaction
    every_s: PositiveFloat = 3600.0


class WorkersSettings(Part):
    """One group for each worker."""

    validation: ValidationSettings = ValidationSettings()
    key_delivery: KeyDeliverySettings = KeyDeliverySettings()
    expiry: ExpirySettings = ExpirySettings()
    storage_health: StorageHealthSettings = StorageHealthSettings()
    integrity: IntegritySettings = IntegritySettings()
    compaction: CompactionSettings = CompactionSettings()
    purge: PurgeSettings = PurgeSettings()
    control_s: PositiveFloat = Field(default=1.0, le=60)  #: how soon a pause or a run-once is heeded
