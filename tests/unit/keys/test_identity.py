"""One account's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from substrateinterface import Keypair

from caregrid.errors import InputInvalid, KeyStoreLocked
from caregrid.keys import EncryptionKeyPair, Identity, KdfCost, passphrase_file, verify_signature

if TYPE_CHECKING:
    from pathlib import Path

CHEAP: Final = KdfCost(memory_kib=8, iterations=1, lanes=1)
#: The well-known development account, as every Substrate tool derives it.
ALICE_SEED: Final = bytes.fromhex("e5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a")
ALICE: Final = bytes.fromhex("d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d")


def test_a_seed_gives_the_account_other_tools_give() -> None:
    """The same seed is the same account in any wallet."""
    assert Identity.from_seed(ALICE_SEED).account == ALICE


def test_development_accounts_are_the_known_ones() -> None:
    """`//Alice` is everybody's Alice; deeper paths agree with substrate-interface."""
    assert Identity.from_uri("//Alice").account == ALICE
    expected = Keypair.create_from_uri("//Alice//stash/1").public_key
    assert expected == Identity.from_uri("//Alice//stash/1").account


@pytest.mark.parametrize(
    "uri", ["", "Alice", "//", "///x", "//Alice///password", "bottom drive obey lake//Alice"]
)
def test_other_uris_are_refused(uri: str) -> None:
    """Only development paths are taken, so that nobody types a real mnemonic into a command line."""
    with pytest.raises(InputInvalid, match="//Alice"):
        Identity.from_uri(uri)


def test_signatures_are_good_for_the_chain() -> None:
    """substrate-interface, which the chain's own rules are checked against, accepts a signature."""
    identity = Identity.generate()
    signature = identity.sign(b"\0message")
    assert len(signature) == 64
    assert Keypair(public_key=identity.account, ss58_format=42).verify(b"\0message", signature)


def test_verification_tells_right_from_wrong() -> None:
    """Only the signer's account, the signed bytes and the untouched signature pass."""
    identity = Identity.generate()
    signature = identity.sign(b"message")
    assert verify_signature(identity.account, b"message", signature)
    assert not verify_signature(identity.account, b"massage", signature)
    assert not verify_signature(ALICE, b"message", signature)
    assert not verify_signature(identity.account, b"message", bytes([signature[0] ^ 1]) + signature[1:])


@pytest.mark.parametrize(
    ("account", "signature"),
    [(ALICE, b""), (ALICE, bytes(64)), (b"\xff" * 32, b"\xff" * 64), (b"", b"\x80" * 64)],
)
def test_malformed_signatures_are_a_plain_no(account: bytes, signature: bytes) -> None:
    """What comes from outside cannot make verification raise."""
    assert not verify_signature(account, b"message", signature)


def test_each_identity_is_new() -> None:
    """Two generated identities share neither account nor encryption key."""
    one, other = Identity.generate(), Identity.generate()
    assert one.account != other.account
    assert one.encryption.public_key != other.encryption.public_key


def test_the_encryption_key_does_not_follow_from_the_seed() -> None:
    """Whoever learns the signing seed still cannot read what was wrapped; a given pair is kept."""
    one, other = Identity.from_seed(ALICE_SEED), Identity.from_seed(ALICE_SEED)
    assert one.encryption.public_key != other.encryption.public_key
    pair = EncryptionKeyPair.generate()
    assert pair is Identity.from_seed(ALICE_SEED, encryption=pair).encryption


def test_an_identity_survives_in_its_file(tmp_path: Path) -> None:
    """Loaded again it is the same account with the same encryption key, and it can sign."""
    for number, identity in enumerate([Identity.generate(), Identity.from_uri("//Bob")]):
        path = tmp_path / str(number)
        identity.save(path, "correct horse", cost=CHEAP)
        loaded = Identity.load(path, "correct horse")
        assert identity.account == loaded.account
        assert identity.encryption.private_bytes() == loaded.encryption.private_bytes()
        assert verify_signature(identity.account, b"message", loaded.sign(b"message"))


def test_a_file_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    """A sealed secret of the wrong length is no identity."""
    passphrase_file.write_new(tmp_path / "x", "correct horse", bytes(95), purpose="identity", cost=CHEAP)
    with pytest.raises(KeyStoreLocked):
        Identity.load(tmp_path / "x", "correct horse")


def test_seeds_of_wrong_length_are_refused() -> None:
    """A seed is 32 bytes, not hex text and not an expanded key."""
    with pytest.raises(InputInvalid, match="32 bytes"):
        Identity.from_seed(bytes(64))


def test_an_identity_shows_nothing_of_itself() -> None:
    """An identity in a log line or traceback is its class name."""
    assert repr(Identity.from_seed(ALICE_SEED)) == "<Identity>"
