"""When records are moved out of objects that something was erased from."""

from __future__ import annotations

from pydantic import ByteSize, Field, PositiveInt

from ocw_sidecar.settings.part import Part

MIB = 1 << 20


class CompactionSettings(Part):
    """Has erased bytes leave storage, and seals records anew."""

    every_blocks: PositiveInt = 100
    min_erased_share: float = Field(default=0.3, ge=0, le=1)  #: of an object, and
    min_erased_bytes: ByteSize = Field(default=ByteSize(MIB), ge=0)  #: so many make it worth the upload
    max_days_erased: float = Field(default=7.0, ge=0)  #: then the object is compacted whatever its share
    plans: int = Field(default=4, ge=1, le=64)  #: new objects in one run
    open_limit: int = Field(default=8, ge=1, le=64)  #: new objects on their way, each with a file on disk
    batch: int = Field(default=64, ge=1, le=1024)  #: objects looked at in one run
    reseals: int = Field(default=16, ge=1, le=256)  #: records sealed anew in one run
