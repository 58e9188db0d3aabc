"""How stored objects are checked: proofs of storage, and reads of single records."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  pydantic reads it
from typing import Final

from pydantic import ByteSize, Field, PositiveFloat, PositiveInt

from caregrid.proofs.schedule import ROUND_BLOCKS
from ocw_sidecar.settings.part import Part

_MIB: Final = 1 << 20


class IntegritySettings(Part):
    """Checks that objects can be read and are what was anchored."""

    sample: int = Field(default=8, ge=1, le=256)  #: objects in one run
    records: int = Field(default=4, ge=1, le=256)  #: records of each object
    read_limit: ByteSize = Field(default=ByteSize(64 * _MIB), ge=1)  #: of one object; one record at least
    timeout_s: PositiveFloat = 120.0  #: for one object
    contained_limit: PositiveInt = 3  #: times that the same challenge may go unanswered
    keep_bundles: PositiveInt = 10_000

    proofs: bool = True  #: ask storage nodes for proofs; on CESS the network does so itself
    proof_key_file: Path | None = None  #: makes the tags; by default `proof.key` in the home folder
    budget: int = Field(default=96, ge=12, le=12_288)  #: fragments asked for proofs in one run
    period_blocks: int = Field(default=43_200, ge=100)  #: in which every object is asked once
    public_every: int = Field(default=500, ge=ROUND_BLOCKS, multiple_of=ROUND_BLOCKS)  #: blocks
    tag_timeout_s: PositiveFloat = 3600.0  #: for the tags of one object
    repair_timeout_s: PositiveFloat = 600.0  #: for one object
