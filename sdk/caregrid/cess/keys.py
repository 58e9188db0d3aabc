"""Where the CESS chain keeps what: storage keys of its pallets, all of them `Blake2_128Concat` maps."""

from __future__ import annotations

import hashlib
from typing import Final

import xxhash

from caregrid.errors import InputInvalid
from caregrid.records import ACCOUNT_LEN, DIGEST_LEN

#: Bytes of a territory's name.
MAX_TERRITORY_NAME: Final = 63


def twox_128(name: str) -> bytes:
    """Return the hash that stands for the name of a pallet or of one of its items."""
    data = name.encode()
    return b"".join(xxhash.xxh64_digest(data, seed=seed)[::-1] for seed in (0, 1))


def item_key(pallet: str, item: str) -> bytes:
    """Return the key of an item that is one value, and the beginning of every key of a map."""
    return twox_128(pallet) + twox_128(item)


def map_key(pallet: str, item: str, *parts: bytes) -> bytes:
    """Return the key of a map's entry; the parts are SCALE."""
    return item_key(pallet, item) + b"".join(_blake2_128(part) + part for part in parts)


def hash_part(digest: bytes) -> bytes:
    """Return a file id or a fragment's digest as CESS writes it: 64 bytes of hexadecimal text.

    Raises:
        InputInvalid: it has another length than 32 bytes.
    """
    if len(digest) != DIGEST_LEN:
        raise InputInvalid(f"a file id or digest is {DIGEST_LEN} bytes, not {len(digest)}")
    return digest.hex().encode()


def account_part(account: bytes) -> bytes:
    """Return an account, checked.

    Raises:
        InputInvalid: it has another length than 32 bytes.
    """
    if len(account) != ACCOUNT_LEN:
        raise InputInvalid(f"an account is {ACCOUNT_LEN} bytes, not {len(account)}")
    return account


def territory_part(name: str) -> bytes:
    """Return a territory's name as a byte vector.

    Raises:
        InputInvalid: it is empty or too long.
    """
    data = name.encode()
    if not 0 < len(data) <= MAX_TERRITORY_NAME:
        raise InputInvalid(f"a territory's name has 1 to {MAX_TERRITORY_NAME} bytes, not {len(data)}")
    # So short a length is one byte of SCALE.
    return bytes([len(data) << 2]) + data


def _blake2_128(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
