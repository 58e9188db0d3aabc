"""Steps from older schemas to the present one: `0002_what_changed.sql` leads from version 1 to version 2.

The schema itself stands in `../sql/schema/`; version 1 is the first released one, so no step leads to it.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SCHEMA_VERSION", "migrations"]

#: The version of the schema.
SCHEMA_VERSION: Final = 1


def migrations() -> Mapping[int, str]:
    """Return the scripts by the version they lead to."""
    files = (entry for entry in resources.files(__name__).iterdir() if entry.name.endswith(".sql"))
    return {int(entry.name.partition("_")[0]): entry.read_text(encoding="utf-8") for entry in files}
