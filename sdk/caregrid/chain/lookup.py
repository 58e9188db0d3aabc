"""Looks many records up at once. Imports the library: load on first use."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from scalecodec.base import ScaleBytes

from caregrid.errors import ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Twox128 of the pallet's name and of the map's.
_PREFIX_LEN: Final = 32
_BLAKE2_128_LEN: Final = 16


def query_records(client: Any, record_ids: Sequence[bytes]) -> dict[bytes, Any]:
    """Return what `Emr.Records` holds of those ids at the last finalized block, in one round trip.

    The library makes one key only, the others follow from it: it takes half a millisecond for each.

    Raises:
        ProtocolViolation: the runtime keeps records under keys of another form.
    """
    head = client.get_chain_finalised_head()
    client.init_runtime(head)
    sample = client.create_storage_key("Emr", "Records", ["0x" + record_ids[0].hex()])
    keys = {_key(sample.data, record_id): record_id for record_id in record_ids}
    if sample.to_hex() not in keys:
        raise ProtocolViolation("the runtime keeps records under other keys; update CareGrid")
    changes = _changes(client.rpc_request("state_queryStorageAt", [list(keys), head])["result"])
    return {
        keys[key]: sample.decode_scale_value(ScaleBytes(entry)).value
        for key, entry in changes.items()
        if entry is not None and key in keys
    }


def _key(sample: bytes, record_id: bytes) -> str:
    # The map is hashed by Blake2_128Concat.
    digest = hashlib.blake2b(record_id, digest_size=_BLAKE2_128_LEN).digest()
    return "0x" + (sample[:_PREFIX_LEN] + digest + record_id).hex()


def _changes(sets: Sequence[Mapping[str, Any]]) -> dict[str, str | None]:
    return {key: entry for each in sets for key, entry in each["changes"]}
