"""What substrate-interface must be told of the runtime's types. Imports the library: load on first use."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

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


def type_registry() -> dict[str, Any]:
    """Return the registry for a client: `EmrApi` as in `emr_api.json`, and where types have moved."""
    described = json.loads(resources.files(__package__).joinpath("emr_api.json").read_text("utf-8"))
    # Where polkadot-sdk keeps the type today; without it the library takes a list for a tuple.
    moved = {"bounded_collections::bounded_vec::BoundedVec": BoundedVecOrHex.__name__}
    return {**described, "types": {**described["types"], **moved}}
