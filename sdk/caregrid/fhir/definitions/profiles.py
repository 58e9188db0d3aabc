"""What a user supplies: profiles, extensions, value sets and code systems of his own.

They become a fragment in the same form as HL7's definitions, which it builds on; the form is described in
`native/schema/src/form.rs`.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import DefinitionUnusable
from caregrid.fhir.definitions import FORM, VERSIONS, packed
from caregrid.fhir.definitions.compiling import compile_differential, compile_structure
from caregrid.fhir.definitions.constraints import Inherited, Rules
from caregrid.fhir.definitions.expansion import Expansion, Terminology

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Resource = dict[str, Any]

#: What a fragment is made of.
KINDS: Final = ("StructureDefinition", "ValueSet", "CodeSystem")

_SERVING: Final = {"4.0": ("4.0",), "4.3": ("4.3", "4.0", "4.1"), "5.0": ("5.0",)}


def compile_supplied(resources: Iterable[Mapping[str, Any]], version: str) -> dict[str, Any]:
    """Return a fragment of definitions.

    Args:
        resources: StructureDefinitions, ValueSets and CodeSystems, in any order.
        version: "4.0", "4.3" or "5.0".

    Raises:
        DefinitionUnusable: one of them is something else, or cannot be used; the message says which.
    """
    supplied = list(resources)
    for one in supplied:
        _require_usable(one, version)
    base = _base(version)
    try:
        return _fragment(supplied, base)
    except (LookupError, TypeError, ValueError, AttributeError) as exc:
        raise DefinitionUnusable("a definition is not as FHIR describes definitions") from exc


class Base:
    """HL7's definitions, for what builds on them."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self.version = definitions["version"]
        self.invariants: list[Mapping[str, Any]] = definitions["invariants"]
        self.structures: dict[str, dict[str, Any]] = {one["url"]: one for one in definitions["structures"]}
        self.types = {one["type"]: one for one in definitions["structures"] if not one.get("constraint")}
        self.value_sets: dict[str, Mapping[str, Any]] = definitions["valueSets"]
        self.code_systems: dict[str, Mapping[str, Any]] = definitions["codeSystems"]
        self.inherited = self._inherited()

    def _inherited(self) -> Inherited:
        rules = {
            (rule["key"], rule.get("expression", ""))
            for one in self.types.values()
            for element in one["elements"]
            for rule in (self.invariants[place] for place in element.get("invariants", []))
        }
        return Inherited(types=frozenset(one["url"] for one in self.types.values()), rules=frozenset(rules))


@cache
def _base(version: str) -> Base:
    return Base(json.loads(gzip.decompress(packed(version))))


def _require_usable(resource: Mapping[str, Any], version: str) -> None:
    if not isinstance(resource, dict) or resource.get("resourceType") not in KINDS:
        raise DefinitionUnusable(f"definitions are of these kinds: {', '.join(KINDS)}")
    if not serves(resource, version):
        raise DefinitionUnusable(
            f"{resource['resourceType']} {resource.get('url')} is of FHIR {resource['fhirVersion']}, "
            f"not {VERSIONS[version]}"
        )


def serves(resource: Mapping[str, Any], version: str) -> bool:
    """Tell whether a definition is for a version of FHIR, as far as it says so.

    R4B changed few resources, so that definitions made for R4 serve there too.
    """
    written = resource.get("fhirVersion")
    return not isinstance(written, str) or written.startswith(_SERVING[version])


def _fragment(supplied: list[Mapping[str, Any]], base: Base) -> dict[str, Any]:
    rules = Rules()
    structures = _Structures(supplied, base, rules).compiled()
    fragment = {
        "form": FORM,
        "version": base.version,
        "invariants": rules.compiled(),
        "structures": structures,
    }
    others = [one for one in supplied if one["resourceType"] != "StructureDefinition"]
    return fragment | _terms(others, base) if others else fragment


def _terms(supplied: Iterable[Mapping[str, Any]], base: Base) -> dict[str, Any]:
    terminology = _terminology(base)
    for one in supplied:
        terminology.add(one)
    urls = {one["url"] for one in supplied}
    sets, systems = urls & terminology.value_sets.keys(), urls & terminology.systems.keys()
    return {
        "valueSets": {url: terminology.expand(url).compiled() for url in sorted(sets)},
        "codeSystems": {url: terminology.systems[url].compiled() for url in sorted(systems)},
    }


def _terminology(base: Base) -> Terminology:
    terminology = Terminology()
    for url, system in base.code_systems.items():
        terminology.know_system(url, system)
    for url, value_set in base.value_sets.items():
        codes = {system: set(codes) for system, codes in value_set.get("codes", {}).items()}
        systems = set(value_set.get("systems", ()))
        terminology.know(url, Expansion(codes=codes, systems=systems, open=value_set.get("open", False)))
    return terminology


class _Structures:
    """Compiles each structure after what it builds on."""

    def __init__(self, supplied: Iterable[Mapping[str, Any]], base: Base, rules: Rules) -> None:
        self._written = {one["url"]: one for one in supplied if one["resourceType"] == "StructureDefinition"}
        self._base = base
        self._rules = rules
        self._inherited = base.inherited
        self._compiled: dict[str, dict[str, Any]] = {}

    def compiled(self) -> list[dict[str, Any]]:
        return [self._structure(url, ()) for url in sorted(self._written)]

    def _structure(self, url: str, above: tuple[str, ...]) -> dict[str, Any]:
        if url in above:
            raise DefinitionUnusable(f"the StructureDefinition {url} builds on itself")
        if url not in self._compiled:
            self._compiled[url] = self._compile(self._written[url], (*above, url))
        return self._compiled[url]

    def _compile(self, definition: Mapping[str, Any], above: tuple[str, ...]) -> dict[str, Any]:
        if definition.get("snapshot", {}).get("element"):
            return compile_structure(definition, self._rules, self._inherited)
        base = self._ground(str(definition.get("baseDefinition", "")).split("|", 1)[0], above)
        if base is None:
            raise DefinitionUnusable(
                f"the StructureDefinition {definition['url']} has no snapshot, and its base is not known"
            )
        return compile_differential(
            definition, base, self._rules, type_named=self._base.types.get, inherited=self._inherited
        )

    def _ground(self, url: str, above: tuple[str, ...]) -> dict[str, Any] | None:
        if url in self._written:
            return self._structure(url, above)
        found = self._base.structures.get(url)
        return None if found is None else self._with_own_places(found)

    def _with_own_places(self, structure: dict[str, Any]) -> dict[str, Any]:
        # HL7's elements refer to HL7's table; what a type says is not repeated on what builds on it.
        elements = []
        for element in structure["elements"]:
            own = {name: value for name, value in element.items() if name != "invariants"}
            if structure.get("constraint") and "invariants" in element:
                rules = (self._base.invariants[place] for place in element["invariants"])
                own["invariants"] = [self._rules.take(rule) for rule in rules]
            elements.append(own)
        return structure | {"elements": elements}
