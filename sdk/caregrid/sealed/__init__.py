"""Sealed records, format v1.

Tink's AES256-GCM-HKDF streaming AEAD with 1 MiB segments and the record id as associated data: any Tink
library opens it with the data key.
"""

from caregrid.sealed.files import SealedFile, open_file, seal_file
from caregrid.sealed.ids import new_data_key, new_record_id
from caregrid.sealed.layout import SEGMENT_SIZE, plain_length, sealed_length
from caregrid.sealed.ranged import SealedRange, open_range, sealed_range
from caregrid.sealed.stream import Opener, Sealer, open_sealed, seal

__all__ = [
    "SEGMENT_SIZE",
    "Opener",
    "SealedFile",
    "SealedRange",
    "Sealer",
    "new_data_key",
    "new_record_id",
    "open_file",
    "open_range",
    "open_sealed",
    "plain_length",
    "seal",
    "seal_file",
    "sealed_length",
    "sealed_range",
]
