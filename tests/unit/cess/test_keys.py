"""Storage keys."""

from __future__ import annotations

import hashlib

import pytest

from caregrid.cess import keys
from caregrid.errors import InputInvalid

ACCOUNT = bytes(range(32))


@pytest.mark.parametrize(
    ("pallet", "item", "key"),
    [
        # The first two stand in Substrate's own documentation.
        ("System", "Account", "26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9"),
        ("Timestamp", "Now", "f0c365c3cf59d671eb72da0e7a4113c49f1f0515f462cdcf84e0f1d6045dfcbb"),
        # Computed from xxHash's specification, and by substrate-interface's hasher.
        ("FileBank", "File", "a3c62a50675125d74bc9f59e3f75adc9303fb39244d274417d5edffffa903f8a"),
        ("FileBank", "DealMap", "a3c62a50675125d74bc9f59e3f75adc97810ae48440077708636387b1304c723"),
        ("Sminer", "MinerItems", "eef51d8e841afa77e8c7349eaa7746f7b2e25dfd1af730b06c3bbbf7f09259ae"),
        ("StorageHandler", "Territory", "d594a5c1eaaed1896a72205f11d647003af49a9492056b7d0ff4b61962039138"),
    ],
)
def test_names_are_hashed_as_substrate_does(pallet: str, item: str, key: str) -> None:
    """The keys of known items are the known ones."""
    assert key == keys.item_key(pallet, item).hex()


def test_a_key_part_stands_behind_its_hash() -> None:
    """Each part of a map's key is 16 bytes of BLAKE2b, then the part."""
    hashed = hashlib.blake2b(ACCOUNT, digest_size=16).digest()
    expected = keys.item_key("StorageHandler", "Territory") + hashed + ACCOUNT
    assert expected == keys.map_key("StorageHandler", "Territory", ACCOUNT)
    both = keys.map_key("StorageHandler", "Territory", ACCOUNT, b"\x04a")
    assert expected + hashlib.blake2b(b"\x04a", digest_size=16).digest() + b"\x04a" == both


def test_a_known_account_has_its_known_key() -> None:
    """The key of a development account's balance, as every tool shows it."""
    alice = bytes.fromhex("d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d")
    expected = (
        "26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9"
        "de1e86a9a8c739864cf3cc5ec2bea59fd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"
    )
    assert expected == keys.map_key("System", "Account", alice).hex()


def test_parts_are_written_as_cess_does() -> None:
    """A digest is hexadecimal text, a name is a byte vector."""
    assert b"ab" * 32 == keys.hash_part(b"\xab" * 32)
    assert b"\x1crecords" == keys.territory_part("records")
    assert b"\xfc" + b"x" * 63 == keys.territory_part("x" * 63)
    assert ACCOUNT == keys.account_part(ACCOUNT)


def test_parts_of_another_length_are_refused() -> None:
    """Nothing is asked for that cannot be there."""
    for wrong in (b"", b"\x00" * 31, b"\x00" * 64):
        with pytest.raises(InputInvalid):
            keys.hash_part(wrong)
        with pytest.raises(InputInvalid):
            keys.account_part(wrong)
    for name in ("", "x" * 64, "\N{SNOWMAN}" * 22):
        with pytest.raises(InputInvalid):
            keys.territory_part(name)
