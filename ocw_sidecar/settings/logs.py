"""Where logs are kept beside what goes to standard error."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003  pydantic reads it
from typing import Final

from pydantic import ByteSize, Field

from ocw_sidecar.settings.part import Part

_MIB: Final = 1 << 20


class LogFormat(StrEnum):
    """How a line is written."""

    JSON = "json"
    TEXT = "text"


class LogSettings(Part):
    """The table `[logs]`."""

    folder: Path | None = None  #: by default `logs` in the home folder
    files: bool = True  #: whether there are any; the audit log is always kept
    format: LogFormat = LogFormat.JSON
    max_bytes: ByteSize = Field(
        default=ByteSize(10 * _MIB), ge=65_536, le=1024 * _MIB
    )  #: then a file is set aside
    keep: int = Field(default=5, ge=1, le=100)  #: files set aside; older ones are deleted
