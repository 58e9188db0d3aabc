"""ISO 4217 as a code system: of HL7's value set of currencies, only the expansion has the codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from definitions.reading import Resource

_SYSTEM: Final = "urn:iso:std:iso:4217"
_VALUE_SET: Final = "http://hl7.org/fhir/ValueSet/currencies"

# In force since the expansion was made (ISO 4217 amendments 169 to 179).
_SINCE: Final = {
    "SLE": "Sierra Leonean leone",
    "UYW": "Unidad Previsional",
    "VED": "Bolívar Soberano (digital)",
    "VES": "Bolívar Soberano",
    "XAD": "Arab Accounting Dinar",
    "XCG": "Caribbean guilder",
    "ZWG": "Zimbabwe Gold",
}


def code_system(expansions: Iterable[Resource]) -> Resource:
    """Return the currencies as a CodeSystem, out of the value sets' expansions."""
    written = next(one for one in expansions if one["url"] == _VALUE_SET)
    codes: dict[str, Any] = {one["code"]: one["display"] for one in written["expansion"]["contains"]}
    return {
        "resourceType": "CodeSystem",
        "url": _SYSTEM,
        "content": "complete",
        "caseSensitive": True,
        "concept": [{"code": code, "display": display} for code, display in (codes | _SINCE).items()],
    }
