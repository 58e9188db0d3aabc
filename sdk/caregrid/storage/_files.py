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


def size_of(source: BinaryIO) -> int:
    return os.fstat(source.fileno()).st_size


def read_whole(path: Path) -> bytes:
    with open_source(path) as source:
        return source.read()
