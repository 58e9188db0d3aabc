"""Code systems as value sets are expanded from, and in the compact form.

Contract: https://hl7.org/fhir/R4/codesystem.html.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PARTIAL: Final = frozenset({"fragment", "example"})
_RETIRED: Final = frozenset({"retired", "inactive"})
_PARENTS: Final = frozenset({"parent", "subsumedBy"})


@dataclass(kw_only=True, slots=True)
class Concept:
    """A code and what filters ask of it."""

    display: str = ""
    parents: set[str] = field(default_factory=set)
    properties: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def is_abstract(self) -> bool:
        """It groups others and is no value by itself."""
        return True in self.properties.get("notSelectable", []) + self.properties.get("abstract", [])

    @property
    def is_inactive(self) -> bool:
        """It is no longer to be used."""
        return True in self.properties.get("inactive", []) or not _RETIRED.isdisjoint(
            self.properties.get("status", [])
        )


@dataclass(kw_only=True, slots=True)
class System:
    """A code system, as all the resources that describe it say."""

    contents: set[str] = field(default_factory=set)
    case_sensitive: bool | None = None
    concepts: dict[str, Concept] = field(default_factory=dict)
    is_flat: bool = False  #: neither properties nor parents are known, so filters cannot be followed

    @classmethod
    def flat(cls, compact: Mapping[str, Any]) -> System:
        """Return one out of the compact form."""
        concepts = {code: Concept(display=display) for code, display in compact["codes"].items()}
        contents = {"complete" if compact.get("complete") else "fragment"}
        sensitive = compact.get("caseSensitive", False)
        return cls(contents=contents, case_sensitive=sensitive, concepts=concepts, is_flat=True)

    @property
    def is_complete(self) -> bool:
        """No code is missing."""
        return "complete" in self.contents and _PARTIAL.isdisjoint(self.contents)

    def add(self, resource: Mapping[str, Any]) -> None:
        """Take in a CodeSystem; what an earlier one said of a code stays."""
        self.contents.add(resource["content"])
        if self.case_sensitive is None:
            self.case_sensitive = resource.get("caseSensitive")
        for code, concept in _concepts(resource.get("concept", []), parent=None):
            known = self.concepts.setdefault(code, concept)
            known.parents |= concept.parents

    def descendants(self, code: str) -> set[str]:
        """Return all codes below a code."""
        children: dict[str, list[str]] = {}
        for one, concept in self.concepts.items():
            for parent in concept.parents:
                children.setdefault(parent, []).append(one)
        found: set[str] = set()
        waiting = [code]
        while waiting:
            new = set(children.get(waiting.pop(), ())) - found
            found |= new
            waiting.extend(new)
        return found

    def compiled(self) -> dict[str, Any]:
        """Return it in the compact form."""
        compact: dict[str, Any] = {
            "codes": {code: concept.display for code, concept in sorted(self.concepts.items())}
        }
        if self.is_complete:
            compact["complete"] = True
        if self.case_sensitive is not False:
            compact["caseSensitive"] = True
        return compact


def _concepts(written: list[Mapping[str, Any]], parent: str | None) -> Iterator[tuple[str, Concept]]:
    for one in written:
        concept = Concept(display=one.get("display", ""))
        for prop in one.get("property", []):
            value = next((value for name, value in prop.items() if name.startswith("value")), None)
            concept.properties.setdefault(prop["code"], []).append(value)
        concept.parents = {str(value) for name in _PARENTS for value in concept.properties.get(name, [])}
        if parent is not None:
            concept.parents.add(parent)
        yield one["code"], concept
        yield from _concepts(one.get("concept", []), one["code"])
