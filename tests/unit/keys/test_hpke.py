"""Wrapping data keys for readers."""

from __future__ import annotations

import hashlib
import hmac
import logging
import traceback
from typing import TYPE_CHECKING, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from caregrid.errors import InputInvalid, WrongKey
from caregrid.keys import (
    PUBLIC_KEY_LEN,
    WRAPPED_KEY_LEN,
    EncryptionKeyPair,
    hpke,
    unwrap_data_key,
    wrap_data_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PAIR: Final = EncryptionKeyPair.generate()
DATA_KEY: Final = bytes(range(32))
RECORD: Final = bytes(range(16))
ACCOUNT: Final = bytes(range(100, 132))

#: First test vector of draft-connolly-cfrg-xwing-kem-08, appendix C; the public key by its ends and SHA-256.
XWING_SEED: Final = bytes.fromhex("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26")
XWING_PUBLIC_START: Final = "e2236b35a8c24b39b10aa1323a96a919a2ced88400633a7b07131713fc14b2b5b19cfc3d"
XWING_PUBLIC_END: Final = "eff389b27dce59844570216223593d4ba32d9abac8cd049040ef6534"
XWING_PUBLIC_SHA256: Final = "2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb"


def wrapped() -> bytes:
    """Wrap the sample data key to the sample pair."""
    return wrap_data_key(PAIR.public_key, DATA_KEY, RECORD, ACCOUNT)


def test_what_is_wrapped_unwraps() -> None:
    """The grantee gets the data key, in the sizes the chain stores."""
    assert (len(PAIR.public_key), len(wrapped())) == (PUBLIC_KEY_LEN, WRAPPED_KEY_LEN) == (1216, 1168)
    assert unwrap_data_key(PAIR, wrapped(), RECORD, ACCOUNT) == DATA_KEY


def test_wrapping_twice_gives_nothing_alike() -> None:
    """Two grants of one record do not show that they hold the same key."""
    assert wrapped() != wrapped()


def test_key_pair_survives_as_bytes() -> None:
    """A pair restored from its 32 private bytes opens what was wrapped before."""
    assert len(PAIR.private_bytes()) == 32
    restored = EncryptionKeyPair.from_private_bytes(PAIR.private_bytes())
    assert PAIR.public_key == restored.public_key
    assert unwrap_data_key(restored, wrapped(), RECORD, ACCOUNT) == DATA_KEY


def test_key_pairs_are_those_of_the_standard() -> None:
    """Other libraries, given our 32 bytes, have the same public key: the draft's test vector."""
    public_key = EncryptionKeyPair.from_private_bytes(XWING_SEED).public_key
    assert public_key.hex().startswith(XWING_PUBLIC_START)
    assert public_key.hex().endswith(XWING_PUBLIC_END)
    assert hashlib.sha256(public_key).hexdigest() == XWING_PUBLIC_SHA256


def labeled(secret: bytes, salt: bytes, label: bytes) -> bytes:
    """RFC 9180's LabeledExtract for this suite."""
    suite_id = b"HPKE" + bytes.fromhex("647a00010002")
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite_id + label + secret, "sha256")


def labeled_expand(secret: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """RFC 9180's LabeledExpand for this suite, up to one hash long."""
    suite_id = b"HPKE" + bytes.fromhex("647a00010002")
    full = length.to_bytes(2, "big") + b"HPKE-v1" + suite_id + label + info + b"\x01"
    return hmac.digest(secret, full, "sha256")[:length]


def test_the_format_is_hpke_to_the_letter() -> None:
    """A reader written from RFC 9180 and the KEM's draft alone opens what we wrap."""
    expanded = hashlib.shake_256(PAIR.private_bytes()).digest(96)
    x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
    message = wrapped()
    from_mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).decapsulate(message[:1088])
    from_x25519 = x25519.exchange(X25519PublicKey.from_public_bytes(message[1088:1120]))
    own_x25519 = x25519.public_key().public_bytes_raw()
    shared = hashlib.sha3_256(from_mlkem + from_x25519 + message[1088:1120] + own_x25519 + rb"\.//^\ "[:6])
    info = b"caregrid/data-key/v1" + RECORD + ACCOUNT
    context = b"\x00" + labeled(b"", b"", b"psk_id_hash") + labeled(info, b"", b"info_hash")
    secret = labeled(b"", shared.digest(), b"secret")
    key = labeled_expand(secret, b"key", context, 32)
    nonce = labeled_expand(secret, b"base_nonce", context, 12)
    assert AESGCM(key).decrypt(nonce, message[1120:], b"") == DATA_KEY


def test_only_the_named_record_account_and_key_open_it() -> None:
    """A wrapped key replayed for another record or account, or given to another reader, is refused."""
    for pair, record_id, account in [
        (EncryptionKeyPair.generate(), RECORD, ACCOUNT),
        (PAIR, bytes(16), ACCOUNT),
        (PAIR, RECORD, bytes(32)),
    ]:
        with pytest.raises(WrongKey):
            unwrap_data_key(pair, wrapped(), record_id, account)


def test_every_flipped_byte_is_refused() -> None:
    """No byte of the wrapped key can change unnoticed."""
    message = wrapped()
    for position in range(len(message)):
        forged = bytearray(message)
        forged[position] ^= 1
        with pytest.raises(WrongKey):
            unwrap_data_key(PAIR, bytes(forged), RECORD, ACCOUNT)


@pytest.mark.parametrize("forged", [b"", bytes(1167), bytes(1168), bytes(1169)])
def test_what_was_never_wrapped_is_refused(forged: bytes) -> None:
    """Zeros, whose X25519 point is of small order, and wrong lengths are a wrong key, not a crash."""
    with pytest.raises(WrongKey):
        unwrap_data_key(PAIR, forged, RECORD, ACCOUNT)


def test_a_wrapped_key_of_another_size_is_refused() -> None:
    """A custodian cannot hand out 31 bytes as a data key, though they decrypt."""
    public_key = hpke._parse_public(PAIR.public_key)
    short = hpke._SUITE.encrypt(bytes(31), public_key, b"caregrid/data-key/v1" + RECORD + ACCOUNT)
    with pytest.raises(WrongKey):
        unwrap_data_key(PAIR, short, RECORD, ACCOUNT)


@pytest.mark.parametrize(
    "public_key",
    [
        pytest.param(b"", id="empty"),
        pytest.param(bytes(1215), id="short"),
        pytest.param(b"\xff" * 1184 + bytes(31) + b"\x09", id="ML-KEM coefficients out of range"),
        pytest.param(PAIR.public_key[:1184] + bytes(32), id="X25519 point of small order"),
    ],
)
def test_malformed_public_keys_are_refused(public_key: bytes) -> None:
    """Anybody can register bytes as a key; nothing is wrapped to what is not one."""
    with pytest.raises(InputInvalid):
        wrap_data_key(public_key, DATA_KEY, RECORD, ACCOUNT)


@pytest.mark.parametrize(
    ("data_key", "record_id", "account"),
    [(bytes(31), RECORD, ACCOUNT), (DATA_KEY, bytes(17), ACCOUNT), (DATA_KEY, RECORD, bytes(33))],
)
def test_wrong_lengths_are_told(data_key: bytes, record_id: bytes, account: bytes) -> None:
    """Ids of the wrong length cannot shift into each other inside `info`."""
    with pytest.raises(InputInvalid):
        wrap_data_key(PAIR.public_key, data_key, record_id, account)


def test_private_keys_of_wrong_length_are_refused() -> None:
    """A private key is 32 bytes, nothing else."""
    with pytest.raises(InputInvalid):
        EncryptionKeyPair.from_private_bytes(bytes(64))


def test_a_key_pair_shows_nothing_of_itself() -> None:
    """A key pair in a log line or traceback is its class name."""
    assert repr(PAIR) == "<EncryptionKeyPair>"


def test_no_error_shows_what_it_is_about(caplog: pytest.LogCaptureFixture) -> None:
    """Refusals of each kind, their tracebacks and the log hold no data key, private key or record id."""
    caplog.set_level(logging.DEBUG)
    shown = []
    attempts: list[Callable[[], bytes]] = [
        lambda: unwrap_data_key(EncryptionKeyPair.generate(), wrapped(), RECORD, ACCOUNT),
        lambda: unwrap_data_key(PAIR, wrapped(), bytes(16), ACCOUNT),
        lambda: wrap_data_key(PAIR.public_key[:1184] + bytes(32), DATA_KEY, RECORD, ACCOUNT),
        lambda: wrap_data_key(PAIR.public_key, DATA_KEY + b"x", RECORD, ACCOUNT),
    ]
    for work in attempts:
        with pytest.raises((WrongKey, InputInvalid)) as caught:
            work()
        shown += [*traceback.format_exception(caught.value), repr(caught.value.facts())]
    text = "\n".join([*shown, caplog.text])
    for secret in (DATA_KEY, PAIR.private_bytes(), RECORD):
        assert secret.hex() not in text
        assert repr(secret)[2:-1] not in text
