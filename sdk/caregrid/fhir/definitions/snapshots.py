"""Snapshots of profiles that came with a differential only.

What the differential says is laid over the base's snapshot, both in the compact form. Slices and children of
data types are unfolded where the differential enters them, and only there: what is left out, the type says.
Contract: https://hl7.org/fhir/R4/profiling.html#snapshot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import DefinitionUnusable
from caregrid.fhir.definitions.elements import choice_name, compile_element, id_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Element = dict[str, Any]
Structure = dict[str, Any]

# What a differential writes, and what it is called in the compact form, where a default is absent.
_COUNTED: Final = {"min": "min", "max": "max", "isModifier": "modifier"}
_REPLACED: Final = ("types", "binding", "fixed", "pattern", "minValue", "maxValue", "maxLength", "slicing")

_NOT_OF_A_SLICE: Final = frozenset({"id", "min", "slicing", "slice"})
_BY_URL: Final = {"rules": "open", "discriminator": [{"type": "value", "path": "url"}]}
_BY_TYPE: Final = {"rules": "open", "discriminator": [{"type": "type", "path": "$this"}]}


class Snapshot:
    """Grows from the base's elements, one element of the differential after the other."""

    def __init__(self, base: Structure, *, url: str, type_named: Callable[[str], Structure | None]) -> None:
        self._url = url
        self._type_named = type_named
        self._resource = base["kind"] == "resource"
        #: By id, in the order of the snapshot.
        self._elements: dict[str, Element] = {id_of(one): dict(one) for one in base["elements"]}
        #: By the id of a choice, the types that were named in short, `valueQuantity`: no other is left then.
        self._short: dict[str, dict[str, list[Any]]] = {}

    def grown(self) -> list[Element]:
        """Return the elements, after the last of the differential was laid."""
        for identity, named in self._short.items():
            choice = self._elements[identity]
            choice["slicing"] = _BY_TYPE | {"rules": "closed"}
            if "types" in choice:
                choice["types"] = [kind for types in named.values() for kind in types]
            if [self._elements[f"{identity}:{name}"].get("min") for name in named] == [1]:
                choice["min"] = 1
        return list(self._elements.values())

    def lay(self, written: Mapping[str, Any], invariants: list[int]) -> None:
        """Lay an ElementDefinition of the differential over what is there."""
        element = self._reach(_identity(written))
        before = element.get("max", 2)
        said = compile_element(written, resource=self._resource, constraint=True)
        for name, ours in _COUNTED.items():
            if name in written:
                element.pop(ours, None)
                element |= {ours: said[ours]} if ours in said else {}
        element |= {name: said[name] for name in _REPLACED if name in said}
        if before > 1 and element.get("max", 2) <= 1:
            element["list"] = True
        if element.get("max") == 0:
            element.pop("types", None)
        if invariants:
            element["invariants"] = element.get("invariants", []) + invariants

    def _reach(self, identity: str) -> Element:
        if identity in self._elements:
            return self._elements[identity]
        owner, dot, last = identity.rpartition(".")
        if not dot:
            raise self._unusable(identity)
        owner = self._enter(owner)
        identity = f"{owner}.{last}"
        if identity in self._elements:
            return self._elements[identity]
        whole, colon, name = last.partition(":")
        if colon:
            return self._slice(self._reach(f"{owner}.{whole}"), name)
        return self._shortened(self._choice(owner, last), last)

    def _shortened(self, choice: str, name: str) -> Element:
        found = self._reach(f"{choice}:{name}")
        self._short.setdefault(choice, {}).setdefault(name, found.get("types", []))
        return found

    def _enter(self, owner: str) -> str:
        element = self._reach(owner)
        identity = id_of(element)
        if not any(name.startswith(identity + ".") for name in self._elements):
            source = self._children(_unsliced(identity)) or self._of_type(element)
            children = [_moved(one, *whole, identity, element["path"]) for one, whole in source]
            self._insert(identity, children)
        return identity

    def _children(self, owner: str) -> list[tuple[Element, tuple[str, str]]]:
        whole = (owner, self._elements[owner]["path"]) if owner in self._elements else (owner, owner)
        return [(one, whole) for name, one in self._elements.items() if name.startswith(owner + ".")]

    def _of_type(self, element: Element) -> list[tuple[Element, tuple[str, str]]]:
        if reference := element.get("contentReference"):
            return self._children(reference.removeprefix("#"))
        types = element.get("types", [])
        structure = self._type_named(types[0]["code"]) if len(types) == 1 else None
        if structure is None:
            raise self._unusable(id_of(element))
        whole = (structure["type"], structure["type"])
        return [(one, whole) for one in structure["elements"][1:]]

    def _slice(self, sliced: Element, name: str) -> Element:
        identity = f"{id_of(sliced)}:{name}"
        new = {key: value for key, value in sliced.items() if key not in _NOT_OF_A_SLICE}
        new |= {"id": identity, "slice": name}
        if sliced["path"].endswith("[x]"):
            sliced.setdefault("slicing", _BY_TYPE)
            stem = sliced["path"].rpartition(".")[2]
            types = sliced.get("types", [])
            new["types"] = [one for one in types if choice_name(stem, one["code"]) == name] or types
        elif sliced["path"].lower().endswith("extension"):
            sliced.setdefault("slicing", _BY_URL)
        self._insert(id_of(sliced), [new])
        return new

    def _choice(self, owner: str, name: str) -> str:
        for identity, element in self._elements.items():
            above, _, stem = identity.rpartition(".")
            names = (choice_name(stem, one["code"]) for one in element.get("types", ()))
            if above == owner and stem.endswith("[x]") and name in names:
                return identity
        raise self._unusable(f"{owner}.{name}")

    def _insert(self, after: str, new: list[Element]) -> None:
        # Behind the element, its children, and the slices of it that are there already.
        belongs = (after + ".", after + ":")
        last = [name for name in self._elements if name == after or name.startswith(belongs)][-1]
        grown: dict[str, Element] = {}
        for name, one in self._elements.items():
            grown[name] = one
            if name == last:
                grown |= {id_of(added): added for added in new}
        self._elements = grown

    def _unusable(self, identity: str) -> DefinitionUnusable:
        return DefinitionUnusable(
            f"the StructureDefinition {self._url} has no snapshot, and its base has no {identity}"
        )


def _identity(written: Mapping[str, Any]) -> str:
    identity, name = id_of(written), written.get("sliceName")
    return f"{identity}:{name}" if name and not identity.endswith((f":{name}", f".{name}")) else identity


def _unsliced(identity: str) -> str:
    owner, dot, last = identity.rpartition(".")
    return owner + dot + last.partition(":")[0]


def _moved(element: Element, whole: str, whole_path: str, owner: str, owner_path: str) -> Element:
    new = {key: value for key, value in element.items() if key != "id"}
    new["path"] = owner_path + element["path"][len(whole_path) :]
    identity = owner + id_of(element)[len(whole) :]
    return new if identity == new["path"] else new | {"id": identity}
