"""Logs: one JSON object a line, a constant event name and typed facts; never content, keys or identities."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

import structlog

if TYPE_CHECKING:
    from structlog.typing import Processor


def configure(stream: TextIO = sys.stderr) -> None:
    """Send the sidecar's log to a stream, unless the caller has set structlog up already."""
    if structlog.is_configured():
        return
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(processors=processors, logger_factory=structlog.PrintLoggerFactory(stream))
