"""What scalecodec must be told of the runtime's types. Imports the library: load on first use."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from scalecodec.base import RuntimeConfigurationObject
from scalecodec.type_registry import load_type_registry_preset
from scalecodec.types import U8, BoundedVec


class BoundedVecOrHex(BoundedVec):  # type: ignore[misc] # the library ships no types
    """A bounded list; as hex when it is of bytes.

    The library's own gives text where the bytes happen to be UTF-8: then nobody can tell the text `0x61` from
    the byte.
    """

    def process(self) -> Any:
        """Decode."""
        if self.runtime_config.get_decoder_class(self.sub_type) is not U8:
            return super().process()
        self.value_object = self.get_next_bytes(self.process_type("Compact<u32>").value)
        return "0x" + self.value_object.hex()


class Registry(RuntimeConfigurationObject):  # type: ignore[misc] # as above
    """A type registry that makes each class once.

    The library's own makes a new class for each `Option<...>`, tuple and enum variant *each time* it meets
    one: most of the time that decoding takes, and garbage that only the cycle collector gets rid of.
    """

    def __init__(self) -> None:
        self._made: dict[Any, Any] = {}
        super().__init__(ss58_format=42)

    def get_decoder_class(self, type_string: Any) -> Any:
        """Return the class for a type."""
        key = tuple(type_string.items()) if isinstance(type_string, dict) else type_string
        made = self._made.get(key)
        if made is None:
            made = super().get_decoder_class(type_string)
            if made is not None:
                self._made[key] = made
        else:
            # Some classes are global, and another registry may have had them since.
            made.runtime_config = self
        return made

    def update_type_registry_types(self, types_dict: dict[str, Any]) -> None:
        """Take types in; what was made of the earlier ones is forgotten."""
        if types_dict:
            self._made.clear()
        super().update_type_registry_types(types_dict)

    def update_from_scale_info_types(self, scale_info_types: Any, prefix: str | None = None) -> None:
        """Take a runtime's types in; they refer to each other, so nothing is kept until all are there."""
        self._made.clear()
        super().update_from_scale_info_types(scale_info_types, prefix=prefix)
        self._made.clear()


def registry() -> Registry:
    """Return a registry that knows the basic types and ours, but no runtime's yet."""
    made = Registry()
    made.update_type_registry(load_type_registry_preset(name="core"))
    made.update_type_registry(type_registry())
    return made


def type_registry() -> dict[str, Any]:
    """Return what to add to a registry: `EmrApi` as in `emr_api.json`, and where types have moved."""
    described = json.loads(resources.files(__package__).joinpath("emr_api.json").read_text("utf-8"))
    # Where polkadot-sdk keeps the type today; without it the library takes a list for a tuple.
    moved = {"bounded_collections::bounded_vec::BoundedVec": BoundedVecOrHex.__name__}
    return {**described, "types": {**described["types"], **moved}}
