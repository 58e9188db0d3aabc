"""Signed extrinsics, version 4: put together from an encoded call and the runtime's own list of extensions.

The library encodes each call twice and leaves out what it does not know, so that a new extension of the
runtime would show as a bad signature. Here it is an error that says so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from caregrid.chain.runtimes import Version

#: Blocks an extrinsic stays valid: 128 seconds. A power of two (mortal eras, `sp_runtime::generic::Era`).
ERA_PERIOD: Final = 64

_SIGNED_V4: Final = b"\x84"
_ACCOUNT_ID: Final = b"\x00"  # of MultiAddress
_SR25519: Final = b"\x01"  # of MultiSignature
#: A longer payload is signed by its digest.
_MAX_PAYLOAD_LEN: Final = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """What extrinsics that are signed together have in common."""

    version: Version
    genesis: bytes
    born: int  #: a finalized block; the era starts there
    birth_hash: bytes
    extensions: tuple[Extension, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Extension:
    """One of the runtime's transaction extensions, by what it adds."""

    explicit: Callable[[Frame, int], bytes]  #: to the extrinsic, given the nonce
    implicit: Callable[[Frame], bytes]  #: to what is signed besides


def _nothing(*_: Any) -> bytes:
    return b""


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


#: Those with contents; tips are 0, and no digest of the metadata is signed.
_KNOWN: Final[Mapping[str, Extension]] = {
    "CheckMortality": Extension(
        explicit=lambda frame, _: era(frame.born), implicit=lambda frame: frame.birth_hash
    ),
    "CheckNonce": Extension(explicit=lambda _, nonce: compact(nonce), implicit=_nothing),
    "ChargeTransactionPayment": Extension(explicit=lambda *_: compact(0), implicit=_nothing),
    "CheckMetadataHash": Extension(explicit=lambda *_: b"\x00", implicit=lambda _: b"\x00"),
    "CheckSpecVersion": Extension(explicit=_nothing, implicit=lambda frame: _u32(frame.version.spec)),
    "CheckTxVersion": Extension(explicit=_nothing, implicit=lambda frame: _u32(frame.version.transaction)),
    "CheckGenesis": Extension(explicit=_nothing, implicit=lambda frame: frame.genesis),
}


def extensions(metadata: Any) -> tuple[Extension, ...]:
    """Return the extensions of a runtime, in its order.

    Raises:
        ConfigInvalid: it has one with contents that are not known here, or extrinsics of another version.
    """
    described = metadata[1][1]["extrinsic"].value
    if described["version"] != _SIGNED_V4[0] & 0x7F:
        raise ConfigInvalid("the chain's runtime takes extrinsics of another version; update CareGrid")
    types = {entry["id"]: entry["type"]["def"] for entry in metadata.portable_registry["types"].value}
    found = []
    for each in described["signed_extensions"]:
        name, contents = each["identifier"], (types[each["ty"]], types[each["additional_signed"]])
        if name not in _KNOWN and not all(map(_is_empty, contents)):
            raise ConfigInvalid(
                f"the chain's runtime wants {name} in extrinsics, unknown here; update CareGrid"
            )
        found.append(_KNOWN.get(name, Extension(explicit=_nothing, implicit=_nothing)))
    return tuple(found)


def signed(frame: Frame, call: bytes, nonce: int, account: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """Return a signed extrinsic.

    Args:
        frame: what is common to those that are signed now.
        call: the encoded call.
        nonce: of the account.
        account: the sr25519 public key.
        sign: returns its 64-byte signature of a payload.
    """
    extra = b"".join(each.explicit(frame, nonce) for each in frame.extensions)
    payload = call + extra + b"".join(each.implicit(frame) for each in frame.extensions)
    if len(payload) > _MAX_PAYLOAD_LEN:
        payload = hashlib.blake2b(payload, digest_size=32).digest()
    body = _SIGNED_V4 + _ACCOUNT_ID + account + _SR25519 + sign(payload) + extra + call
    return compact(len(body)) + body


def era(born: int) -> bytes:
    """Return the encoded mortal era that starts at a block."""
    return ((born % ERA_PERIOD) << 4 | ERA_PERIOD.bit_length() - 2).to_bytes(2, "little")


def compact(value: int) -> bytes:
    """Return a number below 2**536 in SCALE's compact form."""
    for mode, size in enumerate((1, 2, 4)):
        if value < 1 << (8 * size - 2):
            return (value << 2 | mode).to_bytes(size, "little")
    encoded = value.to_bytes((value.bit_length() + 7) // 8, "little")
    return bytes([(len(encoded) - 4) << 2 | 3]) + encoded


def _is_empty(definition: Mapping[str, Any]) -> bool:
    return definition in ({"tuple": []}, {"composite": {"fields": []}})
