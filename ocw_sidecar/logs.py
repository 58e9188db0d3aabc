"""Logs: one line for each event, a constant name and typed facts; never content, keys or identities."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TextIO

import structlog

from ocw_sidecar.log_files import LogFile
from ocw_sidecar.settings.logs import LogFormat

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

    from ocw_sidecar.settings import Settings

#: What the sidecar logs, and what the background commands do.
SIDECAR_FILE: Final = "caregrid.log"
BACKGROUND_FILE: Final = "background_tasks.log"

_LEVELS: Final = logging.getLevelNamesMapping()


def configure(
    settings: Settings | None = None,
    *,
    name: str = SIDECAR_FILE,
    stream: TextIO = sys.stderr,
    level: int = logging.NOTSET,
) -> None:
    """Send the log to a stream and a file, unless the caller has set structlog up already.

    Args:
        settings: say whether there is a file, where, and how lines are written; None: no file.
        name: of the file.
        stream: gets what is at least of `level`; the file gets what is at least INFO.
        level: of :mod:`logging`.
    """
    if structlog.is_configured():
        return
    kind = LogFormat.JSON if settings is None else settings.logs.format
    stamped: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: Processor = (
        structlog.processors.JSONRenderer()
        if kind is LogFormat.JSON
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    processors: list[Processor] = [*stamped, _Rendered(render, _file_of(settings, name), level)]
    structlog.configure(processors=processors, logger_factory=structlog.PrintLoggerFactory(stream))


def _file_of(settings: Settings | None, name: str) -> LogFile | None:
    if settings is None or not settings.logs.files:
        return None
    own = settings.logs
    return LogFile(settings.logs_path / name, int(own.max_bytes), own.keep)


class _Rendered:
    """Renders a line once, for the file and for the stream."""

    def __init__(self, render: Processor, file: LogFile | None, level: int) -> None:
        self._render, self._file, self._level = render, file, level

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        severity = _LEVELS.get(str(event.get("level", method)).upper(), logging.INFO)
        line = str(self._render(logger, method, event))
        if self._file is not None and severity >= logging.INFO:
            with suppress(OSError):  # a full disk must not stop what is logged; the stream has it
                self._file.append(line)
        if severity < self._level:
            raise structlog.DropEvent
        return line
