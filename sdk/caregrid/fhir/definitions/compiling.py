"""StructureDefinitions, ValueSets and CodeSystems in the compact form that the native validator loads.

`scripts/make-definitions` and the profiles that a user supplies take the same way.
Contract: https://hl7.org/fhir/R4/structuredefinition.html, and `native/schema/src/form.rs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caregrid.errors import DefinitionUnusable
from caregrid.fhir.definitions.constraints import Inherited, Rules, own_constraints
from caregrid.fhir.definitions.elements import compile_element, without_version
from caregrid.fhir.definitions.snapshots import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def compile_structure(
    definition: Mapping[str, Any], rules: Rules, inherited: Inherited | None = None
) -> dict[str, Any]:
    """Return a StructureDefinition with a snapshot in the compact form.

    Args:
        definition: the resource, as JSON.
        rules: takes its invariants; elements refer to their places.
        inherited: what a profile's base types say by themselves.

    Raises:
        DefinitionUnusable: it is no StructureDefinition, or has no snapshot.
    """
    _require_usable(definition)
    if not definition.get("snapshot", {}).get("element"):
        raise DefinitionUnusable(f"the StructureDefinition {definition['url']} has no snapshot")
    constraint = definition.get("derivation") == "constraint"
    elements = []
    for element in _elements(definition):
        one = compile_element(element, resource=definition["kind"] == "resource", constraint=constraint)
        own = own_constraints(element, structure=definition, inherited=inherited or Inherited())
        if own:
            one["invariants"] = [rules.place(written) for written in own]
        elements.append(one)
    return _structure(definition, elements)


def compile_differential(
    definition: Mapping[str, Any],
    base: dict[str, Any],
    rules: Rules,
    *,
    type_named: Callable[[str], dict[str, Any] | None],
    inherited: Inherited,
) -> dict[str, Any]:
    """Return a StructureDefinition without a snapshot in the compact form.

    Args:
        definition: the resource, as JSON.
        base: what it builds on, in the compact form, its invariants at places of `rules`.
        rules: takes the invariants that the differential adds.
        type_named: finds a type by its name, in the compact form.
        inherited: what types say by themselves.

    Raises:
        DefinitionUnusable: it is no StructureDefinition, or constrains what its base does not have.
    """
    _require_usable(definition)
    snapshot = Snapshot(base, url=definition["url"], type_named=type_named)
    for element in definition.get("differential", {}).get("element", []):
        own = own_constraints(element, structure=definition, inherited=inherited)
        snapshot.lay(element, [rules.place(written) for written in own])
    return _structure(definition, snapshot.grown())


def _structure(definition: Mapping[str, Any], elements: list[dict[str, Any]]) -> dict[str, Any]:
    compact: dict[str, Any] = {
        "url": definition["url"],
        "name": definition["name"],
        "type": definition["type"],
        "kind": definition["kind"],
        "abstract": definition.get("abstract") or None,
        "constraint": definition.get("derivation") == "constraint" or None,
        "base": _base(definition),
        "context": _contexts(definition),
        "contextInvariants": list(definition.get("contextInvariant", [])),
        "elements": elements,
    }
    return {name: value for name, value in compact.items() if value is not None and value != []}


def _require_usable(definition: Mapping[str, Any]) -> None:
    if definition.get("resourceType") != "StructureDefinition":
        raise DefinitionUnusable("it is no StructureDefinition")
    for name in ("url", "name", "type", "kind"):
        if not isinstance(definition.get(name), str):
            raise DefinitionUnusable(f"the StructureDefinition has no {name}")


def _base(definition: Mapping[str, Any]) -> str | None:
    base = definition.get("baseDefinition")
    return None if base is None else without_version(base)


def _contexts(definition: Mapping[str, Any]) -> list[dict[str, str]]:
    if definition["type"] != "Extension":
        return []
    return [{"type": one["type"], "expression": one["expression"]} for one in definition.get("context", [])]


def _elements(definition: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    elements: list[Mapping[str, Any]] = definition["snapshot"]["element"]
    if definition["kind"] == "primitive-type":
        # JSON has no member for a primitive's value: it is the value.
        return [one for one in elements if one["path"] != f"{definition['type']}.value"]
    return elements
