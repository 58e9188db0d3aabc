"""The CESS chain's values, encoded by the library and not by what is tested."""

from __future__ import annotations

from typing import Any, Final

from scalecodec.base import RuntimeConfigurationObject
from scalecodec.type_registry import load_type_registry_preset

_SPACE_PROOF: Final = [
    ["miner", "[u8; 32]"],
    ["front", "u64"],
    ["rear", "u64"],
    ["g", "[u8; 256]"],
    ["n", "[u8; 256]"],
    ["accumulator", "[u8; 256]"],
]


def _struct(*fields: tuple[str, str]) -> dict[str, Any]:
    return {"type": "struct", "type_mapping": [list(field) for field in fields]}


_TYPES: Final = {
    "CessHash": "[u8; 64]",
    "CessAccount": "[u8; 32]",
    "CessFragment": _struct(
        ("hash", "CessHash"), ("avail", "bool"), ("tag", "Option<u32>"), ("miner", "CessAccount")
    ),
    "CessSegment": _struct(("hash", "CessHash"), ("fragments", "Vec<CessFragment>")),
    "CessOwner": _struct(("user", "CessAccount"), ("file_name", "Bytes"), ("territory", "Bytes")),
    "CessFileState": {"type": "enum", "value_list": ["Active", "Calculate", "Missing", "Recovery"]},
    "CessFile": _struct(
        ("segments", "Vec<CessSegment>"),
        ("owners", "Vec<CessOwner>"),
        ("size", "u128"),
        ("completion", "u32"),
        ("state", "CessFileState"),
    ),
    "CessDealSegment": _struct(("hash", "CessHash"), ("fragments", "Vec<CessHash>")),
    "CessReport": _struct(("index", "u8"), ("miner", "CessAccount")),
    "CessDeal": _struct(
        ("size", "u128"),
        ("segments", "Vec<CessDealSegment>"),
        ("user", "CessOwner"),
        ("complete", "Vec<CessReport>"),
    ),
    "CessHeld": _struct(("territory", "Bytes"), ("hash", "CessHash"), ("size", "u128")),
    "CessHeldList": "Vec<CessHeld>",
    "CessRestoralOrder": _struct(
        ("count", "u32"),
        ("miner", "CessAccount"),
        ("origin", "CessAccount"),
        ("fragment", "CessHash"),
        ("file", "CessHash"),
        ("created", "u32"),
        ("deadline", "u32"),
    ),
    "CessSpaceProof": {"type": "struct", "type_mapping": _SPACE_PROOF},
    "CessMiner": _struct(
        ("beneficiary", "CessAccount"),
        ("staking_account", "CessAccount"),
        ("endpoint", "Bytes"),
        ("collaterals", "u128"),
        ("debt", "u128"),
        ("state", "Bytes"),
        ("declaration_space", "u128"),
        ("idle_space", "u128"),
        ("service_space", "u128"),
        ("lock_space", "u128"),
        ("space_proof", "Option<CessSpaceProof>"),
        ("bloom_filter", "[u64; 256]"),
        ("tee_signature", "[u8; 64]"),
    ),
    "CessTerritoryState": {"type": "enum", "value_list": ["Active", "Frozen", "Expired", "OnConsignment"]},
    "CessTerritory": _struct(
        ("token", "[u8; 32]"),
        ("total", "u128"),
        ("used", "u128"),
        ("locked", "u128"),
        ("remaining", "u128"),
        ("start", "u32"),
        ("deadline", "u32"),
        ("state", "CessTerritoryState"),
    ),
    "CessOperators": "Vec<CessAccount>",
    "CessProof": _struct(("tee", "[u8; 32]"), ("proof", "Bytes"), ("result", "Option<bool>")),
    "CessChallenge": _struct(
        ("idle_space", "u128"),
        ("service_space", "u128"),
        ("bloom_filter", "[u64; 256]"),
        ("space_proof", "CessSpaceProof"),
        ("tee_signature", "[u8; 64]"),
        ("start", "u32"),
        ("idle_slip", "u32"),
        ("service_slip", "u32"),
        ("verify_slip", "u32"),
        ("space_param", "[u64; 8]"),
        ("indexes", "Vec<u32>"),
        ("randoms", "Vec<[u8; 20]>"),
        ("assign", "u8"),
        ("idle_prove", "Option<CessProof>"),
        ("service_prove", "Option<CessProof>"),
    ),
}

SPACE_PROOF: Final = {
    "miner": "0x" + "00" * 32,
    "front": 1,
    "rear": 2,
    "g": "0x" + "01" * 256,
    "n": "0x" + "02" * 256,
    "accumulator": "0x" + "03" * 256,
}


def _configuration() -> RuntimeConfigurationObject:
    made = RuntimeConfigurationObject()
    made.update_type_registry(load_type_registry_preset(name="legacy"))
    made.update_type_registry({"types": _TYPES})
    return made


_CONFIGURATION: Final = _configuration()


def encoded(kind: str, value: Any) -> bytes:
    """Return SCALE of a value, given in the library's form."""
    made = _CONFIGURATION.create_scale_object(kind)
    return bytes(made.encode(value).data)


def hexed(data: bytes) -> str:
    """Return bytes in the library's form."""
    return "0x" + data.hex()


def hash_text(digest: bytes) -> str:
    """Return a digest in the chain's form."""
    return hexed(digest.hex().encode())
