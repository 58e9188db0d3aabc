"""Finds what stands at the FHIRPath location of an issue: `Observation.component[1].value.coding[0]`."""

from __future__ import annotations

import re
from typing import Any, Final

_STEP: Final = re.compile(r"([A-Za-z][A-Za-z0-9]*)(?:\[(\d+)\])?|ofType\([A-Za-z]+\)")


def at_path(resource: Any, path: str) -> Any:
    """Return the value at a location, or None if there is none.

    The name of a choice may be written as in the definition (`value`) or as in JSON (`valueCode`).
    """
    value = resource
    for step in path.split(".")[1:]:
        match = _STEP.fullmatch(step)
        if match is None:
            return None
        if match[1] is not None:
            value = _child(value, match[1])
        if match[2] is not None:
            place = int(match[2])
            value = value[place] if isinstance(value, list) and place < len(value) else None
    return value


def _child(value: Any, name: str) -> Any:
    if not isinstance(value, dict):
        return None
    if name in value:
        return value[name]
    typed = [key for key in value if key.startswith(name) and key[len(name) :][:1].isupper()]
    return value[typed[0]] if len(typed) == 1 else None
