"""Keys: who signs, who may open a record, and where the custodian's own copies rest."""

from caregrid.keys.file_store import FileKeyStore
from caregrid.keys.hpke import (
    PUBLIC_KEY_LEN,
    WRAPPED_KEY_LEN,
    EncryptionKeyPair,
    unwrap_data_key,
    wrap_data_key,
)
from caregrid.keys.identity import Identity, verify_signature
from caregrid.keys.memory import MemoryKeyStore
from caregrid.keys.passphrase_file import KdfCost
from caregrid.keys.port import KeyStore, KeyVersion
from caregrid.keys.ss58 import decode_account, encode_account

__all__ = [
    "PUBLIC_KEY_LEN",
    "WRAPPED_KEY_LEN",
    "EncryptionKeyPair",
    "FileKeyStore",
    "Identity",
    "KdfCost",
    "KeyStore",
    "KeyVersion",
    "MemoryKeyStore",
    "decode_account",
    "encode_account",
    "unwrap_data_key",
    "verify_signature",
    "wrap_data_key",
]
