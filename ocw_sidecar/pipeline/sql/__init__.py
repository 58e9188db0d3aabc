"""SQL in named entries: `-- name --` on a line of its own, a comment where it helps, then the statement."""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["named_statements", "script"]

_HEADING: Final = re.compile(r"^-- (\w+) --$", re.MULTILINE)


def script(name: str) -> str:
    """Return one SQL file of this folder as it stands."""
    return resources.files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def named_statements(name: str) -> Mapping[str, str]:
    """Return the statements of one file by name."""
    _preamble, *pieces = _HEADING.split(script(name))
    return dict(zip(pieces[::2], (text.strip() for text in pieces[1::2]), strict=True))
