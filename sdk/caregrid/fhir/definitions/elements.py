"""An ElementDefinition in the compact form.

Contract: https://hl7.org/fhir/R4/elementdefinition.html, and `Element` in `native/schema/src/form.rs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from caregrid.fhir.definitions.corrections import VALUE_SETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EXTENSIONS: Final = "http://hl7.org/fhir/StructureDefinition/"
_FHIR_TYPE: Final = _EXTENSIONS + "structuredefinition-fhir-type"
_MAX_VALUE_SET: Final = _EXTENSIONS + "elementdefinition-maxValueSet"
_SYSTEM: Final = "http://hl7.org/fhirpath/System."


def without_version(canonical: str) -> str:
    """Return a canonical url without `|version`."""
    return canonical.split("|", 1)[0]


def choice_name(stem: str, type_code: str) -> str:
    """Return `valueQuantity` for `value[x]` and `Quantity`."""
    return stem.removesuffix("[x]") + type_code[:1].upper() + type_code[1:]


def id_of(element: Mapping[str, Any]) -> str:
    """Return the id of an element in the compact form, which leaves out one that equals the path."""
    identity: str = element.get("id") or element["path"]
    return identity


def compile_element(element: Mapping[str, Any], *, resource: bool, constraint: bool) -> dict[str, Any]:
    """Return the element without its invariants.

    Args:
        element: an ElementDefinition of a snapshot.
        resource: whether the structure describes a resource.
        constraint: whether the structure is a profile or an extension.
    """
    maximum = _maximum(element.get("max"))
    compact = {
        "id": element["id"] if element.get("id", element["path"]) != element["path"] else None,
        "path": element["path"],
        "min": element.get("min") or None,
        "max": maximum,
        "list": True if constraint and _narrowed_list(element, maximum) else None,
        "types": [] if maximum == 0 else _types(element, resource=resource),
        "contentReference": _content_reference(element),
        "binding": _binding(element.get("binding")),
        "fixed": _choice(element, "fixed"),
        "pattern": _choice(element, "pattern"),
        "minValue": _choice(element, "minValue"),
        "maxValue": _choice(element, "maxValue"),
        "maxLength": element.get("maxLength"),
        "modifier": element.get("isModifier") or None,
        "slicing": _slicing(element.get("slicing")),
        "slice": element.get("sliceName"),
    }
    return {name: value for name, value in compact.items() if value is not None and value != []}


def extension_values(holder: Mapping[str, Any], url: str) -> Iterator[Any]:
    """Yield the values of the extensions of one url."""
    for extension in holder.get("extension", []):
        if extension.get("url") == url:
            yield _choice(extension, "value")


def _maximum(written: str | None) -> int | None:
    return None if written in {None, "*"} else int(str(written))


def _narrowed_list(element: Mapping[str, Any], maximum: int | None) -> bool:
    base = element.get("base", {}).get("max", "1")
    return maximum in {0, 1} and base not in {"0", "1"}


def _choice(holder: Mapping[str, Any], stem: str) -> Any:
    for name, value in holder.items():
        if name.startswith(stem) and name[len(stem) : len(stem) + 1].isupper():
            return value
    return None


def _content_reference(element: Mapping[str, Any]) -> str | None:
    reference: str | None = element.get("contentReference")
    return None if reference is None else "#" + reference.rsplit("#", 1)[-1]


def _types(element: Mapping[str, Any], *, resource: bool) -> list[dict[str, Any]]:
    return [_type(one, element["path"], resource=resource) for one in element.get("type", [])]


def _type(written: Mapping[str, Any], path: str, *, resource: bool) -> dict[str, Any]:
    compact: dict[str, Any] = {"code": _type_code(written, path, resource=resource)}
    if profiles := written.get("profile"):
        compact["profiles"] = [without_version(one) for one in profiles]
    if targets := written.get("targetProfile"):
        compact["targets"] = [without_version(one) for one in targets]
    return compact


def _type_code(written: Mapping[str, Any], path: str, *, resource: bool) -> str:
    code = str(written["code"])
    if not code.startswith(_SYSTEM):
        return code
    # The specification writes these types as FHIRPath's, and not everywhere which of FHIR's is meant.
    if path.endswith(".id"):
        # R4B and R5 give elements' ids the form of resources' ids; their own definitions do not keep to it.
        return "id" if resource and path.count(".") == 1 else "string"
    if path.endswith("xtension.url"):
        return "uri"
    return next(extension_values(written, _FHIR_TYPE), None) or "string"


def _binding(written: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if written is None or "strength" not in written:
        return None
    compact = {"strength": written["strength"]}
    value_set = written.get("valueSet") or written.get("valueSetUri")
    if value_set:
        compact["valueSet"] = without_version(value_set)
    if maximum := _max_value_set(written):
        compact["max"] = VALUE_SETS.get(maximum, without_version(maximum))
    return compact


def _max_value_set(binding: Mapping[str, Any]) -> str | None:
    # R5 has an element for what was an extension.
    additional = (one["valueSet"] for one in binding.get("additional", []) if one.get("purpose") == "maximum")
    return next(extension_values(binding, _MAX_VALUE_SET), None) or next(additional, None)


def _slicing(written: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if written is None:
        return None
    compact: dict[str, Any] = {"rules": written.get("rules", "open")}
    if written.get("ordered"):
        compact["ordered"] = True
    if discriminators := written.get("discriminator"):
        compact["discriminator"] = [{"type": one["type"], "path": one["path"]} for one in discriminators]
    return compact
