"""What must be known of a runtime to encode for it and to decode. Imports the library: load on first use."""

from __future__ import annotations

import functools
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scalecodec.base import ScaleBytes

from caregrid.chain import signing
from caregrid.chain.events import EventDecoder
from caregrid.chain.scale import registry

if TYPE_CHECKING:
    from caregrid.chain.client import Client

#: Runtimes that are kept, of all clients: two around an upgrade, and as much again for another chain.
KEPT: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """Of a runtime; whatever changes in it, the first number does."""

    spec: int
    transaction: int


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """One runtime of one chain. Used only by who holds :data:`caregrid.chain.exclusion.CODEC`."""

    version: Version
    metadata: Any
    registry: Any

    @functools.cached_property
    def events(self) -> EventDecoder:
        """What reads the events of blocks that it executed."""
        return EventDecoder.of(self.metadata)

    @functools.cached_property
    def extensions(self) -> tuple[signing.Extension, ...]:
        """What it wants in a signed extrinsic; see `signing.extensions`."""
        return signing.extensions(self.metadata)


_runtimes: OrderedDict[tuple[str, Version], Runtime] = OrderedDict()


def runtime(client: Client, version: Version, at: str) -> Runtime:
    """Return a runtime, with its metadata from block `at` if it is not known yet.

    Reading metadata takes half a second and leaves some hundred classes behind; so all clients share it.
    """
    key = (client.genesis, version)
    if key not in _runtimes:
        _runtimes[key] = _load(version, client.rpc_request("state_getMetadata", [at])["result"])
    _runtimes.move_to_end(key)
    found = _runtimes[key]
    while len(_runtimes) > KEPT:
        _runtimes.popitem(last=False)
    return found


def _load(version: Version, encoded: str) -> Runtime:
    types = registry()
    metadata = types.create_scale_object("MetadataVersioned", data=ScaleBytes(encoded))
    metadata.decode()
    types.implements_scale_info = True
    types.add_portable_registry(metadata)
    types.update_type_registry_types({"Weight": "sp_weights::weight_v2::Weight"})
    return Runtime(version=version, metadata=metadata, registry=types)
