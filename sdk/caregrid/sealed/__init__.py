"""Sealed records, format v1.

Tink's AES256-GCM-HKDF streaming AEAD with 1 MiB segments and the record id as associated data: any Tink
library opens it with the data key.

Bytes: `seal`, `open_sealed`. Files, by path or already open: `seal_file`, `open_file`. Anything that comes
in chunks: `seal_chunks`, `open_chunks`, and the same for `async for`. Parts of what lies elsewhere:
`SealedReader`. Chunks that are pushed rather than pulled: `Sealer`, `Opener`, `sealed_range`, `open_range`.
"""

from caregrid.sealed.chunks import (
    open_chunks,
    open_chunks_async,
    read_chunks,
    read_chunks_async,
    seal_chunks,
    seal_chunks_async,
)
from caregrid.sealed.files import SealedFile, open_file, seal_file
from caregrid.sealed.ids import new_data_key, new_record_id
from caregrid.sealed.layout import SEGMENT_SIZE, plain_length, sealed_length
from caregrid.sealed.ranged import SealedRange, open_range, sealed_range
from caregrid.sealed.reader import RangeSource, SealedReader
from caregrid.sealed.stream import Opener, Sealer, open_sealed, seal

__all__ = [
    "SEGMENT_SIZE",
    "Opener",
    "RangeSource",
    "SealedFile",
    "SealedRange",
    "SealedReader",
    "Sealer",
    "new_data_key",
    "new_record_id",
    "open_chunks",
    "open_chunks_async",
    "open_file",
    "open_range",
    "open_sealed",
    "plain_length",
    "read_chunks",
    "read_chunks_async",
    "seal",
    "seal_chunks",
    "seal_chunks_async",
    "seal_file",
    "sealed_length",
    "sealed_range",
]
