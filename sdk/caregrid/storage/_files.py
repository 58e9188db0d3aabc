from __future__ import annotations

import os
from typing import TYPE_CHECKING

from caregrid.errors import InputInvalid, InputMissing

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO


def open_source(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as exc:
        raise InputMissing from exc
    except IsADirectoryError as exc:
        raise InputInvalid("this is a directory; give a file") from exc
    except OSError as exc:
        raise InputInvalid(f"the file cannot be opened: {exc.strerror}") from exc


def open_private(path: Path) -> BinaryIO:
    # For its owner only, and never through a link that somebody laid there.
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    try:
        return os.fdopen(os.open(path, flags, 0o600), "r+b")
    except FileNotFoundError as exc:
        raise InputInvalid("the target's folder does not exist; create it first") from exc
    except OSError as exc:
        raise InputInvalid(f"no file can be kept in the target's folder: {exc.strerror}") from exc


def size_of(source: BinaryIO) -> int:
    return os.fstat(source.fileno()).st_size
