"""A corpus of FHIR content with verdicts argued from the specification, one rule broken at a time.

The content is made when the tests run, from small resources and from the official examples in `base/`.
Nothing here looks at what the validator does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.corpus import (
    bundles,
    clinic,
    codes,
    extensions,
    invariants_resources,
    invariants_types,
    narratives,
    primitives,
    profiles,
    references,
    structure,
    syntax,
)

if TYPE_CHECKING:
    from tests.corpus.cases import Case

#: Written by hand.
WRITTEN: Final[list[Case]] = [
    case
    for module in (
        structure,
        primitives,
        syntax,
        narratives,
        codes,
        invariants_types,
        invariants_resources,
        bundles,
        references,
        extensions,
        profiles,
        clinic,
    )
    for case in module.CASES
]
