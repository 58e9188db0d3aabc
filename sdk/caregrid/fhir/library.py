"""The verdict of the library `fhir.resources` on a resource whose structure is sound, in our own words.

Messages of the library quote the record, so only the type and the place of an error are taken from it.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import ValidationError

from caregrid.fhir import rules
from caregrid.fhir.rules import Issue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from caregrid.fhir.models import Element, Models, Shape

_RULES: Final = {
    "extra_forbidden": rules.NOT_CONFORMING,
    "list_type": rules.NULL,
    "missing": rules.MISSING,
    "model_field_validation.missing": rules.MISSING,
}

# R4 allows every UUID and every URI in these; the library takes version 4 alone, and web addresses.
_TOO_STRICT: Final = frozenset({"uuid", "url"})


def examine(models: Models, shape: Shape, resource: dict[str, Any]) -> list[Issue]:
    """Return what the library finds wrong with a resource, at most MAX_ISSUES."""
    try:
        shape.model.model_validate(resource)
    except ValidationError as exc:
        found = exc.errors(include_url=False, include_context=False, include_input=False)
        issues = (_issue(models, shape, resource, error["type"], error["loc"]) for error in found)
        return list(islice((issue for issue in issues if issue is not None), rules.MAX_ISSUES))
    except Exception:  # noqa: BLE001 - what the library trips over must not stop a worker, nor be quoted
        return [Issue(rules.MODEL_FAILED, shape.name)]
    return []


def _issue(
    models: Models, shape: Shape, resource: dict[str, Any], kind: str, location: tuple[int | str, ...]
) -> Issue | None:
    path, primitive = shape.name, None
    for step in _known(models, shape, resource, location):
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path, primitive = f"{path}.{step.name}", step.primitive
    if primitive in _TOO_STRICT:
        return None
    fallback = rules.NOT_CONFORMING if primitive is None else rules.lexical(primitive)
    return Issue(_RULES.get(kind, fallback), path)


def _known(
    models: Models, shape: Shape, value: Any, location: tuple[int | str, ...]
) -> Iterator[int | Element]:
    # Follows a location as long as it is made of defined elements; anything else might be the sender's text.
    element: Element | None = None
    for step in location:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) else None
            yield step
            continue
        owner = shape if element is None else _below(models, element, value)
        element = owner.elements.get(step) if owner is not None else None
        if element is None:
            return
        value = value.get(step) if isinstance(value, dict) else None
        yield element


def _below(models: Models, element: Element, value: Any) -> Shape | None:
    if element.primitive is not None or not isinstance(value, dict):
        return None
    if models.holds_any_resource(element):
        return models.resource(str(value.get("resourceType")))
    return models.shape(element.type)
