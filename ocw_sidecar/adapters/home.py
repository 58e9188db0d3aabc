"""The home folder belongs to one sidecar at a time."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from caregrid.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Create the folder if need be, for its owner only, and hold it; a process that dies lets go.

    Raises:
        ConfigInvalid: another sidecar holds it.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (home / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigInvalid(
                f"another sidecar runs on the home folder {home}; stop it, or set another CAREGRID_HOME"
            ) from None
        yield
