"""The model classes of the library `fhir.resources`, read as tables of elements.

The library's classes import slowly (about 4 seconds for a whole release), so each is imported on first use.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from caregrid.records import RecordFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhir_core.fhirabstractmodel import FHIRAbstractModel
    from pydantic.fields import FieldInfo

_PACKAGES: Final = {
    RecordFormat.FHIR_R4_JSON: "fhir.resources.R4B",
    RecordFormat.FHIR_R4B_JSON: "fhir.resources.R4B",
    RecordFormat.FHIR_R5_JSON: "fhir.resources",
}

# R4 is the `discriminator` list of https://hl7.org/fhir/R4/fhir.schema.json, R4B the library's own list.
NEW_IN_R4B: Final = frozenset({
    "AdministrableProductDefinition", "Citation", "ClinicalUseDefinition", "EvidenceReport", "Ingredient",
    "ManufacturedItemDefinition", "MedicinalProductDefinition", "NutritionProduct",
    "PackagedProductDefinition", "RegulatedAuthorization", "SubscriptionStatus", "SubscriptionTopic",
    "SubstanceDefinition",
})  # fmt: skip
GONE_IN_R4B: Final = frozenset({
    "EffectEvidenceSynthesis", "MedicinalProduct", "MedicinalProductAuthorization",
    "MedicinalProductContraindication", "MedicinalProductIndication", "MedicinalProductIngredient",
    "MedicinalProductInteraction", "MedicinalProductManufactured", "MedicinalProductPackaged",
    "MedicinalProductPharmaceutical", "MedicinalProductUndesirableEffect", "RiskEvidenceSynthesis",
    "SubstanceNucleicAcid", "SubstancePolymer", "SubstanceProtein", "SubstanceReferenceInformation",
    "SubstanceSourceMaterial", "SubstanceSpecification",
})  # fmt: skip
_ABSTRACT: Final = frozenset({"Resource", "DomainResource"})


@dataclass(frozen=True, slots=True)
class Element:
    """One property that may stand in a JSON object."""

    key: str  #: as in JSON: `birthDate`, `_birthDate`
    many: bool
    primitive: str | None  #: name of the FHIR primitive type, None for objects
    type: Any  #: the library's type marker for objects, None for primitives

    @property
    def name(self) -> str:
        """The element's name in a path: extensions of a primitive belong to the primitive."""
        return self.key.removeprefix("_")

    @property
    def sibling(self) -> str:
        """The key that carries the extensions of a primitive, or the primitive of the extensions."""
        return self.key[1:] if self.key.startswith("_") else f"_{self.key}"


@dataclass(frozen=True, slots=True)
class Shape:
    """What may stand in the JSON object of one resource, backbone element or data type."""

    name: str  #: class name as in the library: `Observation`, `ObservationComponent`
    model: type[FHIRAbstractModel]
    elements: Mapping[str, Element]
    required: tuple[str, ...]
    choices: Mapping[str, tuple[str, ...]]  #: `value` to its keys `valueQuantity`, `valueString`, ...
    required_choices: frozenset[str]
    is_resource: bool


class Models:
    """The model classes of one FHIR release."""

    def __init__(self, release: RecordFormat) -> None:
        self._package = _PACKAGES[release]
        self._refused = _ABSTRACT | (NEW_IN_R4B if release is RecordFormat.FHIR_R4_JSON else frozenset())
        self.unsupported = GONE_IN_R4B if release is RecordFormat.FHIR_R4_JSON else frozenset[str]()
        self._shapes: dict[str, Shape] = {}

    def resource(self, name: str) -> Shape | None:
        """Return the shape of a resource, or None when the release has none of this name."""
        marker = self._marker(name)
        if marker is None or name in self._refused:
            return None
        shape = self.shape(marker)
        return shape if shape.is_resource else None

    def load(self, name: str) -> None:
        """Import the classes of a resource and of everything it is made of."""
        shape = self.resource(name)
        waiting, seen = [shape] if shape is not None else [], {name}
        while waiting:
            for element in waiting.pop().elements.values():
                if element.type is not None and not self.holds_any_resource(element):
                    below = self.shape(element.type)
                    if below.name not in seen:
                        seen.add(below.name)
                        waiting.append(below)

    def shape(self, marker: Any) -> Shape:
        """Return the shape behind a type marker of the library."""
        path: str = marker._model_klass  # noqa: SLF001 - the library has no public name for it
        if path not in self._shapes:
            self._shapes[path] = self._read(marker.get_model_klass())
        return self._shapes[path]

    def holds_any_resource(self, element: Element) -> bool:
        """Tell whether an element holds a resource of any kind, as `contained` does."""
        return element.type is self._types.ResourceType

    @cached_property
    def _types(self) -> Any:
        return import_module(f"{self._package}.fhirtypes")

    def _marker(self, name: str) -> Any:
        if not (name.isascii() and name.isalpha()):
            return None
        marker = getattr(self._types, f"{name}Type", None)
        return marker if hasattr(marker, "_model_klass") else None

    def _read(self, model: type[FHIRAbstractModel]) -> Shape:
        fields = {
            str(info.alias): info for info in model.model_fields.values() if info.alias != "fhir_comments"
        }
        choices: dict[str, tuple[str, ...]] = {}
        for key, info in fields.items():
            if prefix := _extra(info).get("one_of_many"):
                choices[prefix] = (*choices.get(prefix, ()), key)
        return Shape(
            name=model.__name__,
            model=model,
            elements={key: _element(key, info) for key, info in fields.items()},
            required=tuple(key for key, info in fields.items() if _is_required(info)),
            choices=choices,
            required_choices=frozenset(p for p, keys in choices.items() if _choice_required(fields[keys[0]])),
            is_resource=model.has_resource_base(),
        )


def _extra(info: FieldInfo) -> dict[str, Any]:
    extra = info.json_schema_extra
    return extra if isinstance(extra, dict) else {}


def _is_required(info: FieldInfo) -> bool:
    return info.is_required() or _extra(info).get("element_required") is True


def _choice_required(info: FieldInfo) -> bool:
    return _extra(info).get("one_of_many_required") is True


def _element(key: str, info: FieldInfo) -> Element:
    many, leaf = _unwrap(info.annotation)
    primitives = import_module("fhir_core.constraints").FHIR_PRIMITIVES_MAPS
    if hasattr(leaf, "_model_klass"):
        return Element(key=key, many=many, primitive=None, type=leaf)
    return Element(key=key, many=many, primitive=primitives[leaf], type=None)


def _unwrap(annotation: Any) -> tuple[bool, Any]:
    # Annotated[...] is a primitive as it stands; Optional and List are wrappers.
    origin = typing.get_origin(annotation)
    if origin is None or hasattr(annotation, "__metadata__"):
        return False, annotation
    inner = next(arg for arg in typing.get_args(annotation) if arg is not type(None))
    many, leaf = _unwrap(inner)
    return many or origin is list, leaf
