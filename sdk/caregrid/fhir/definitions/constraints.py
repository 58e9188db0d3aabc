"""Invariants: one table of rules, which elements refer to by place.

A snapshot repeats on each element what its type's own definition says already (`ele-1`, `ext-1`, `dom-2`);
in the compact form every rule stands once, where it was first said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caregrid.fhir.definitions.corrections import corrected
from caregrid.fhir.definitions.elements import extension_values

if TYPE_CHECKING:
    from collections.abc import Mapping

_BEST_PRACTICE: Final = "http://hl7.org/fhir/StructureDefinition/elementdefinition-bestpractice"


@dataclass(frozen=True, kw_only=True, slots=True)
class Inherited:
    """What types say by themselves, so that a profile's snapshot need not be believed to add it."""

    types: frozenset[str] = frozenset()  #: canonical urls
    rules: frozenset[tuple[str, str]] = frozenset()  #: key and expression


class Rules:
    """Collects invariants, each once, and numbers them."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, bool, str, str], int] = {}

    def place(self, constraint: Mapping[str, Any]) -> int:
        """Return the place of a constraint, which is added if it is new."""
        best_practice = next(extension_values(constraint, _BEST_PRACTICE), False)
        warning = constraint.get("severity") == "warning" or bool(best_practice)
        key, expression = rule_of(constraint)
        rule = (key, warning, constraint.get("human", ""), expression)
        return self._places.setdefault(rule, len(self._places))

    def take(self, compact: Mapping[str, Any]) -> int:
        """Return the place of a rule that is in the compact form already."""
        warning, human = compact.get("warning", False), compact["human"]
        rule = (compact["key"], warning, human, compact.get("expression", ""))
        return self._places.setdefault(rule, len(self._places))

    def compiled(self) -> list[dict[str, Any]]:
        """Return all of them, in the order of their places."""
        return [_compiled(*rule) for rule in self._places]


def rule_of(constraint: Mapping[str, Any]) -> tuple[str, str]:
    """Return the key and the expression of a constraint, corrected."""
    return str(constraint["key"]), corrected(str(constraint.get("expression", "")))


def own_constraints(
    element: Mapping[str, Any], *, structure: Mapping[str, Any], inherited: Inherited
) -> list[Mapping[str, Any]]:
    """Return those that this structure's element adds to what its type says."""
    written: list[Mapping[str, Any]] = element.get("constraint", [])
    if structure.get("derivation") == "constraint":
        return [one for one in written if not _is_inherited(one, inherited)]
    root = structure["snapshot"]["element"][0]
    # `Extension.extension` repeats what `Extension` says.
    repeated = {rule_of(one) for one in root.get("constraint", [])} if element is not root else set()
    return [
        one
        for one in written
        if one.get("source", structure["url"]) == structure["url"] and rule_of(one) not in repeated
    ]


def _is_inherited(constraint: Mapping[str, Any], inherited: Inherited) -> bool:
    source = str(constraint.get("source", "")).split("|", 1)[0]
    return source in inherited.types or rule_of(constraint) in inherited.rules


def _compiled(key: str, warning: bool, human: str, expression: str) -> dict[str, Any]:  # noqa: FBT001 - a row
    compact: dict[str, Any] = {"key": key, "human": human}
    if warning:
        compact["warning"] = True
    if expression:
        compact["expression"] = expression
    return compact
