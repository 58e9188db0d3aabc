"""Where extensions may stand: what HL7 says in several places, brought together, and what it says wrongly.

Contract: https://hl7.org/fhir/R5/defining-extensions.html#context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from definitions.reading import Resource

_HL7: Final = "http://hl7.org/fhir/StructureDefinition/"
_PUBLICATION_STATUS: Final = "http://hl7.org/fhir/ValueSet/publication-status"

# Names of groups of resources, which no resource of R4 or R4B has as its base, and in R5 neither.
_GROUPS: Final = frozenset({"CanonicalResource", "MetadataResource"})

#: HL7's own definitions of every version have these extensions in places that their contexts lack.
FURTHER_CONTEXTS: Final = {
    _HL7 + "regex": "ElementDefinition.type",
    _HL7 + "valueset-concept-comments": "CodeSystem.concept",
}

#: HL7's own definitions of R4B and R5 have these twice, though their definitions allow one.
REPEATED: Final = frozenset({_HL7 + "elementdefinition-translatable"})


def widen(known: Resource, later: Resource) -> None:
    """Let an extension stand also where, and as often as, HL7's later definition of it says."""
    contexts = known.setdefault("context", [])
    contexts.extend(one for one in later.get("context", []) if one not in contexts)
    known["contextInvariant"] = later.get("contextInvariant", [])
    if later["snapshot"]["element"][0]["max"] == "*":
        known["snapshot"]["element"][0]["max"] = "*"


def corrected(extension: Resource) -> Resource:
    """Return an extension's definition with what is known to be missing."""
    if extension["url"] in FURTHER_CONTEXTS:
        further = {"type": "element", "expression": FURTHER_CONTEXTS[extension["url"]]}
        extension = extension | {"context": [*extension["context"], further]}
    if extension["url"] in REPEATED:
        root, *elements = extension["snapshot"]["element"]
        extension = extension | {"snapshot": {"element": [root | {"max": "*"}, *elements]}}
    return extension


def name_groups(structures: Iterable[dict[str, Any]]) -> None:
    """Put the resources that are published artefacts in the place of their group's name."""
    members = sorted({one["type"] for one in structures if _is_published(one)})
    for one in structures:
        contexts = one.get("context", [])
        if not any(context["expression"] in _GROUPS for context in contexts):
            continue
        named = [{"type": "element", "expression": member} for member in members]
        kept = [context for context in contexts if context["expression"] not in _GROUPS]
        one["context"] = kept + [context for context in named if context not in kept]


def _is_published(structure: dict[str, Any]) -> bool:
    if structure["kind"] != "resource" or structure.get("constraint") or structure.get("abstract"):
        return False
    status = f"{structure['type']}.status"
    bindings = (one.get("binding", {}) for one in structure["elements"] if one["path"] == status)
    return any(one.get("valueSet") == _PUBLICATION_STATUS for one in bindings)
