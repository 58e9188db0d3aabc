"""Prints data keys that CareGrid wrapped, with all that opens them, for other implementations to try."""

from __future__ import annotations

import json
import secrets

from caregrid.keys import EncryptionKeyPair, wrap_data_key


def vector(seed: bytes) -> dict[str, str]:
    """Wrap a fresh data key to the pair of a seed, for a fresh record and account."""
    pair = EncryptionKeyPair.from_private_bytes(seed)
    record_id, account, data_key = secrets.token_bytes(16), secrets.token_bytes(32), secrets.token_bytes(32)
    made = {
        "seed": seed,
        "public_key": pair.public_key,
        "record_id": record_id,
        "account": account,
        "data_key": data_key,
        "wrapped": wrap_data_key(pair.public_key, data_key, record_id, account),
    }
    return {name: value.hex() for name, value in made.items()}


if __name__ == "__main__":
    seeds = [bytes(32), b"\xff" * 32, bytes(range(32)), secrets.token_bytes(32)]
    print(json.dumps([vector(seed) for seed in seeds], indent=1))  # noqa: T201 - a program
