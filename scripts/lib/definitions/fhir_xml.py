"""FHIR's XML as FHIR's JSON: which elements repeat and which are numbers, the definitions themselves say.

Contract: https://hl7.org/fhir/R4/xml.html and https://hl7.org/fhir/R4/json.html. Narratives, comments and
extensions of primitives are left out: nothing in the compact form comes from them.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_FHIR: Final = "{http://hl7.org/fhir}"
_NUMBERS: Final = frozenset({"integer", "positiveInt", "unsignedInt"})


class FhirXml:
    """Reads XML by compiled structures of the same, or a closely related, version."""

    def __init__(self, structures: Iterable[Mapping[str, Any]]) -> None:
        self._types = [one for one in structures if not one.get("constraint")]
        self._primitives = {one["type"] for one in self._types if one["kind"] == "primitive-type"}
        self._resources = {one["type"] for one in self._types if one["kind"] == "resource"}
        #: By the path of what they stand in, then by name: whether it repeats, and what it holds.
        self._children: dict[str, dict[str, tuple[bool, str]]] = {}
        for one in self._types:
            self._learn(one["elements"])

    def resources(self, source: IO[bytes], kinds: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield the resources of some kinds in a Bundle."""
        wanted = {_FHIR + kind for kind in kinds}
        for _, node in ET.iterparse(source):  # noqa: S314 - pinned by hash
            if node.tag in wanted:
                yield self._resource(node)
                node.clear()

    def _learn(self, elements: Iterable[Mapping[str, Any]]) -> None:
        paths = {one["path"].rpartition(".")[0] for one in elements}
        for one in elements:
            owner, _, name = one["path"].rpartition(".")
            repeats = one.get("max", 2) > 1
            known = self._children.setdefault(owner, {})
            if one["path"] in paths:
                known[name] = (repeats, one["path"])
            elif "contentReference" in one:
                known[name] = (repeats, one["contentReference"].removeprefix("#"))
            for held in one.get("types", []):
                code = held["code"]
                if name.endswith("[x]"):
                    known[name[:-3] + code[0].upper() + code[1:]] = (repeats, code)
                else:
                    known.setdefault(name, (repeats, code))

    def _resource(self, node: ET.Element) -> dict[str, Any]:
        kind = _name(node)
        return {"resourceType": kind, **self._object(node, kind)}

    def _object(self, node: ET.Element, holder: str) -> dict[str, Any]:
        found: dict[str, Any] = dict(node.attrib)
        for child in node:
            name = _name(child)
            if name == "text" and child.find("{http://www.w3.org/1999/xhtml}div") is not None:
                continue
            repeats, held = self._children[holder][name]
            value = self._value(child, held)
            if value is None:
                continue
            if repeats:
                found.setdefault(name, []).append(value)
            else:
                found[name] = value
        return found

    def _value(self, node: ET.Element, held: str) -> Any:
        if held in self._primitives:
            written = node.get("value")
            return None if written is None else _primitive(written, held)
        if held == "Resource":
            return self._resource(node[0])
        return self._object(node, held)


def _name(node: ET.Element) -> str:
    return node.tag.rpartition("}")[2]


def _primitive(written: str, held: str) -> Any:
    if held == "boolean":
        return written == "true"
    if held in _NUMBERS:
        return int(written)
    if held == "decimal":
        return float(written) if "." in written else int(written)
    return written
