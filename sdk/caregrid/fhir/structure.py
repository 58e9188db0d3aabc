"""Walks the JSON of a resource along the library's tables and names every place that does not fit.

The library alone will not do: it takes `"5"` for 5, a JSON text in a string for an object, a number for a
date, unbounded ids, and stops on unknown contained resources with errors that quote them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from caregrid.fhir import codes, primitives, rules, strict_json
from caregrid.fhir.rules import Issue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from caregrid.fhir.models import Element, Models, Shape

# The library's name for what stands behind `_birthDate`: there an id alone is fine, its value stands beside.
_PRIMITIVE_EXTENSION: Final = "FHIRPrimitiveExtension"


@dataclass(frozen=True, slots=True)
class _Here:
    # The JSON object under examination.
    shape: Shape
    value: dict[str, Any]
    path: str
    depth: int


@dataclass(frozen=True, slots=True)
class Walk:
    """One release's tables and value sets."""

    models: Models
    bindings: codes.Bindings

    def first_issues(self, value: Any) -> list[Issue]:
        """Return what is wrong with a resource, at most MAX_ISSUES."""
        return list(islice(self._resource(value, None, 1), rules.MAX_ISSUES))

    def _resource(self, value: Any, path: str | None, depth: int) -> Iterator[Issue]:
        if not isinstance(value, dict):
            yield Issue(rules.NOT_A_RESOURCE, path)
            return
        name = value.get("resourceType")
        shape = self.models.resource(name) if isinstance(name, str) else None
        if shape is None:
            yield Issue(self._type_rule(name), path)
        else:
            yield from self._object(shape, value, path or shape.name, depth)

    def _type_rule(self, name: Any) -> rules.Rule:
        if not isinstance(name, str):
            return rules.NO_TYPE
        return rules.UNSUPPORTED_TYPE if name in self.models.unsupported else rules.UNKNOWN_TYPE

    def _object(self, shape: Shape, value: Any, path: str, depth: int) -> Iterator[Issue]:
        if not isinstance(value, dict):
            yield Issue(rules.NOT_AN_OBJECT, path)
        elif depth > strict_json.MAX_DEPTH:
            yield Issue(rules.TOO_DEEP, path, (strict_json.MAX_DEPTH,))
        else:
            yield from _whole(shape, value, path)
            yield from self._members(_Here(shape, value, path, depth))

    def _members(self, here: _Here) -> Iterator[Issue]:
        for position, (key, value) in enumerate(here.value.items(), start=1):
            if (element := here.shape.elements.get(key)) is not None:
                yield from self._element(here, element, value)
            elif not (here.shape.is_resource and key == "resourceType"):
                yield Issue(rules.UNKNOWN_PROPERTY, here.path, (position,))

    def _element(self, here: _Here, element: Element, value: Any) -> Iterator[Issue]:
        path = f"{here.path}.{element.name}"
        if not element.many:
            repeated = isinstance(value, list)
            yield from (
                [Issue(rules.NOT_REPEATED, path)] if repeated else self._item(here, element, value, path)
            )
        elif not isinstance(value, list):
            yield Issue(rules.NOT_AN_ARRAY, path)
        elif not value:
            yield Issue(rules.EMPTY_VALUE, path)
        else:
            yield from self._items(here, element, value, path)

    def _items(self, here: _Here, element: Element, items: list[Any], path: str) -> Iterator[Issue]:
        beside = here.value.get(element.sibling)
        for index, item in enumerate(items):
            place = f"{path}[{index}]"
            if item is not None:
                yield from self._item(here, element, item, place)
            elif element.sibling not in here.shape.elements:
                yield Issue(rules.NULL, place)
            elif not isinstance(beside, list) or index >= len(beside) or beside[index] is None:
                yield Issue(rules.LONELY_NULL, place)

    def _item(self, here: _Here, element: Element, value: Any, path: str) -> Iterator[Issue]:
        if value is None:
            yield Issue(rules.NULL, path)
        elif element.primitive is not None:
            yield from self._primitive(here.shape, element, value, path)
        elif self.models.holds_any_resource(element):
            yield from self._resource(value, path, here.depth + 1)
        else:
            yield from self._object(self.models.shape(element.type), value, path, here.depth + 1)

    def _primitive(self, shape: Shape, element: Element, value: Any, path: str) -> Iterator[Issue]:
        rule = primitives.fault(element.primitive or "", value)
        allowed = self.bindings.get((shape.name, element.key))
        if rule is not None:
            yield Issue(rule, path, (primitives.MAX_STRING_CHARS,))
        elif allowed is not None and value not in allowed:
            yield Issue(rules.CODE_NOT_BOUND, path)


def _whole(shape: Shape, value: dict[str, Any], path: str) -> Iterator[Issue]:
    if not value:
        yield Issue(rules.EMPTY_VALUE, path)
        return
    if isinstance(value, strict_json.RepeatedKeys):
        yield Issue(rules.REPEATED_KEY, path)
    if set(value) == {"id"} and not shape.is_resource and shape.name != _PRIMITIVE_EXTENSION:
        yield Issue(rules.ONLY_AN_ID, path)
    for key in shape.required:
        if not _has(value, key):
            yield Issue(rules.MISSING, f"{path}.{key}")
    for prefix, keys in shape.choices.items():
        present = sum(1 for key in keys if _has(value, key))
        if present > 1:
            yield Issue(rules.CHOICE_REPEATED, f"{path}.{prefix}[x]")
        elif present == 0 and prefix in shape.required_choices:
            yield Issue(rules.CHOICE_MISSING, f"{path}.{prefix}[x]")


def _has(value: dict[str, Any], key: str) -> bool:
    return key in value or f"_{key}" in value
