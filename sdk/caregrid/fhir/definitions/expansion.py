"""Which codes a ValueSet has, as far as the definitions tell.

Contract: https://hl7.org/fhir/R4/valueset.html#compositions. What the definitions do not tell (SNOMED CT,
filters that we do not know, value sets from elsewhere) makes the result open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from caregrid.fhir.definitions.elements import without_version
from caregrid.fhir.definitions.terminology import System

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(kw_only=True, slots=True)
class Expansion:
    """The codes of a value set."""

    codes: dict[str, set[str]] = field(default_factory=dict)  #: by system
    systems: set[str] = field(default_factory=set)  #: those that belong to it wholly
    open: bool = False  #: something belongs to it that is not known

    def add(self, other: Expansion) -> None:
        """Take in what another has."""
        for system, codes in other.codes.items():
            self.codes.setdefault(system, set()).update(codes)
        self.systems |= other.systems
        self.open = self.open or other.open

    def without(self, other: Expansion) -> Expansion:
        """Return what another does not have; of what is not known it is assumed that it does not."""
        codes = {
            system: mine - other.codes.get(system, set())
            for system, mine in self.codes.items()
            if system not in other.systems
        }
        return Expansion(codes=codes, systems=self.systems - other.systems, open=self.open)

    def within(self, other: Expansion) -> Expansion:
        """Return what both have."""
        codes: dict[str, set[str]] = {}
        for one, another in ((self, other), (other, self)):
            for system, mine in one.codes.items():
                both = mine if system in another.systems else mine & another.codes.get(system, set())
                codes.setdefault(system, set()).update(both)
        return Expansion(codes=codes, systems=self.systems & other.systems, open=self.open or other.open)

    def compiled(self) -> dict[str, Any]:
        """Return it in the compact form."""
        compact: dict[str, Any] = {}
        codes = {system: sorted(mine) for system, mine in sorted(self.codes.items()) if mine}
        if codes:
            compact["codes"] = codes
        if self.systems:
            compact["systems"] = sorted(self.systems)
        # That nothing was found means that the definitions do not tell, not that nothing is allowed.
        if self.open or self.systems or not codes:
            compact["open"] = True
        return compact


class Terminology:
    """Value sets and code systems that refer to one another by url; the first of a url counts."""

    def __init__(self) -> None:
        self.systems: dict[str, System] = {}
        self.value_sets: dict[str, Mapping[str, Any]] = {}
        self._expanded: dict[str, Expansion] = {}

    def add(self, resource: Mapping[str, Any]) -> None:
        """Take in a CodeSystem or a ValueSet; other resources are passed over."""
        kind, url = resource.get("resourceType"), resource.get("url")
        if kind == "CodeSystem" and url and resource.get("content") != "supplement":
            self.systems.setdefault(url, System()).add(resource)
        elif kind == "ValueSet" and url and url not in self.value_sets:
            self.value_sets[url] = resource
            self._expanded.pop(url, None)

    def know(self, url: str, expansion: Expansion) -> None:
        """Take in a value set that was expanded before."""
        self._expanded[url] = expansion

    def know_system(self, url: str, compact: Mapping[str, Any]) -> None:
        """Take in a code system in the compact form, which has neither properties nor a hierarchy."""
        self.systems[url] = System.flat(compact)

    def expand(self, url: str) -> Expansion:
        """Return the codes of a value set; an unknown one, or one that contains itself, is open."""
        url = without_version(url)
        if url not in self._expanded:
            self._expanded[url] = Expansion(open=True)
            if url in self.value_sets:
                self._expanded[url] = self._expand(self.value_sets[url])
        return self._expanded[url]

    def _expand(self, value_set: Mapping[str, Any]) -> Expansion:
        compose = value_set.get("compose")
        if compose is None:
            return _enumerated(value_set.get("expansion"))
        found = Expansion()
        inactive = compose.get("inactive", True)
        for part in compose.get("include", []):
            found.add(self._part(part, inactive=inactive))
        for part in compose.get("exclude", []):
            found = found.without(self._part(part, inactive=True))
        return found

    def _part(self, part: Mapping[str, Any], *, inactive: bool) -> Expansion:
        sources = [self.expand(url) for url in part.get("valueSet", [])]
        if "system" in part:
            sources.append(self._of_system(part, inactive=inactive))
        if not sources:
            return Expansion(open=True)
        found = sources[0]
        for other in sources[1:]:
            found = found.within(other)
        return found

    def _of_system(self, part: Mapping[str, Any], *, inactive: bool) -> Expansion:
        url = without_version(part["system"])
        if "concept" in part:
            return Expansion(codes={url: {one["code"] for one in part["concept"]}})
        system = self.systems.get(url, System())
        if not part.get("filter"):
            codes = _selectable(system, system.concepts, inactive=inactive)
            return Expansion(codes={url: codes}, systems=set() if system.is_complete else {url})
        if not system.is_complete or system.is_flat:
            return Expansion(open=True)
        found = set(system.concepts)
        for one in part["filter"]:
            passed = _filtered(system, one)
            if passed is None:
                return Expansion(open=True)
            found &= passed
        return Expansion(codes={url: _selectable(system, found, inactive=inactive)})


def _enumerated(expansion: Mapping[str, Any] | None) -> Expansion:
    if expansion is None:
        return Expansion(open=True)
    found = Expansion()
    waiting = list(expansion.get("contains", []))
    while waiting:
        one = waiting.pop()
        waiting.extend(one.get("contains", []))
        if "code" in one and "system" in one and not one.get("abstract"):
            found.codes.setdefault(one["system"], set()).add(one["code"])
    return found


def _selectable(system: System, codes: Iterable[str], *, inactive: bool) -> set[str]:
    concepts = {code: system.concepts[code] for code in codes}
    return {
        code
        for code, concept in concepts.items()
        if not concept.is_abstract and (inactive or not concept.is_inactive)
    }


def _filtered(system: System, written: Mapping[str, Any]) -> set[str] | None:
    name, operation, value = written["property"], written["op"], written["value"]
    if name in {"concept", "code"}:
        return _by_concept(system, operation, value)
    if operation == "=":
        return {code for code, one in system.concepts.items() if _has(one.properties.get(name, []), {value})}
    if operation == "in":
        return {
            code
            for code, one in system.concepts.items()
            if _has(one.properties.get(name, []), set(value.split(",")))
        }
    if operation == "exists":
        return {
            code for code, one in system.concepts.items() if (name in one.properties) == (value == "true")
        }
    return None


def _has(values: list[Any], wanted: set[str]) -> bool:
    written = {str(value).lower() if isinstance(value, bool) else str(value) for value in values}
    return not wanted.isdisjoint(written)


def _by_concept(system: System, operation: str, value: str) -> set[str] | None:
    known, named, below = set(system.concepts), set(value.split(",")), system.descendants(value)
    found = {
        "is-a": below | {value},
        "descendent-of": below,
        "is-not-a": known - below - {value},
        "=": named,
        "in": named,
        "not-in": known - named,
    }
    if operation == "regex":
        return _matching(known, value)
    return found[operation] & known if operation in found else None


def _matching(codes: set[str], pattern: str) -> set[str] | None:
    try:
        return {code for code in codes if re.fullmatch(pattern, code)}
    except re.error:
        return None
