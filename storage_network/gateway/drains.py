"""Which storage nodes are to be emptied for good, as a file lists them."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Final

from caregrid.errors import ConfigInvalid
from storage_network import files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FILE_NAME: Final = "drains.json"
#: Nodes that can be drained at the same time.
MAX_DRAINS: Final = 1_000

_MAX_NAME: Final = 100
_log = logging.getLogger(__name__)


def read(path: Path) -> frozenset[str]:
    """Return the names in a file; none when there is no file.

    Raises:
        ConfigInvalid: it has another form.
    """
    try:
        return frozenset(_name(each) for each in json.loads(path.read_text()))
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError, TypeError) as exc:
        raise ConfigInvalid(f"{path} is no list of nodes; write it with the program for it") from exc


def write(path: Path, nodes: Iterable[str]) -> None:
    """Write a file anew, at once.

    Raises:
        ConfigInvalid: a name is none, or there are too many.
    """
    names = sorted({_name(each) for each in nodes})
    if len(names) > MAX_DRAINS:
        raise ConfigInvalid(f"at most {MAX_DRAINS} nodes are drained at the same time")
    files.write_atomically(path, json.dumps(names, indent=2).encode())


class Drains:
    """The nodes that a gateway empties; a changed file counts from the next look on. Methods block.

    A file that is spoilt is told in the log, and what was in it before goes on counting.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._known: frozenset[str] = frozenset()

    def nodes(self) -> frozenset[str]:
        """Return their names."""
        with self._lock:
            stamp = files.stamp_of(self._path)
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._known = read(self._path)
                except ConfigInvalid as exc:
                    _log.error("drains_not_read reason=%s", exc)
            return self._known


def _name(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME or not value.isprintable():
        raise ConfigInvalid(f"a node's name has 1 to {_MAX_NAME} printable characters")
    return value
