"""The native validator, as the rest of this package uses it; nothing else imports it."""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, Final

from caregrid.errors import DefinitionUnusable
from caregrid.fhir import definitions
from caregrid.fhir.terminology import Unchecked

if TYPE_CHECKING:
    from caregrid_native import Report, Validator

    from caregrid.fhir.profiles import Profiles

#: A report lists so many issues of one resource, and counts the rest.
MAX_ISSUES: Final = 100

_LOADING: Final = threading.Lock()


def engine(version: str, profiles: Profiles) -> Validator:
    """Return the engine of a FHIR version ("4.0", "4.3" or "5.0").

    Without profiles there is one for the process, loaded on first use, which takes a tenth of a second. With
    profiles it is the caller's own.

    Raises:
        DefinitionUnusable: a profile cannot be used.
    """
    if not profiles.definitions or (profiles.mixed and not profiles.of_version(version)):
        with _LOADING:
            return _shared(version)
    loaded = _load(version)
    try:
        loaded.add_structures(profiles.compiled(version))
    except ValueError as exc:
        raise DefinitionUnusable(f"a definition cannot be used: {exc}") from exc
    return loaded


def unchecked(report: Report) -> list[Unchecked]:
    """Return the codes of which a report says that they were not checked."""
    return [
        Unchecked(issue=place, value_set=key, path=path, required=severity == "warning")
        for place, (severity, _, rule, key, _, path, _, _) in enumerate(report.issues)
        if rule == "terminology-not-checked" and key
    ]


@cache
def _shared(version: str) -> Validator:
    return _load(version)


def _load(version: str) -> Validator:
    # Here, so that programs that do not validate never load it.
    from caregrid_native import Validator  # noqa: PLC0415 - see above

    return Validator(definitions.packed(version))
