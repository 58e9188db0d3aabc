"""What we seal, Tink opens; what Tink seals, we open."""

from __future__ import annotations

import io
from typing import Any, Final

import pytest
import tink
from tink import proto_keyset_format, secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

from caregrid.sealed import Opener, Sealer, new_data_key, new_record_id, open_sealed, seal, sealed_length

KEY_TYPE: Final = "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey"
MIB: Final = 1 << 20
FIRST: Final = MIB - 40 - 16
SECOND: Final = FIRST + MIB - 16
LENGTHS: Final = [0, 1, FIRST - 1, FIRST, FIRST + 1, SECOND - 1, SECOND, SECOND + 1, 3 * MIB]

#: Sealed by Tink 1.16.1, data key 00 01 … 1f, record id 10 11 … 1f.
SEALED_BY_TINK: Final = bytes.fromhex(
    "28586ddb479622a3f8f7438e24806594561a3b5de760cb2bd732a406f6f16c088f33a5c226e07173"
    "892d242462bc34d5adea1da9b01a9f855f9df997a918b30ec3e85ea3136b"
)


@pytest.fixture(scope="module", autouse=True)
def _registered() -> None:
    streaming_aead.register()


def tink_with(data_key: bytes) -> Any:
    """Give Tink's own primitive for a raw data key with the parameters of format v1."""
    params = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
        ciphertext_segment_size=MIB, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
    )
    key = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(params=params, key_value=data_key)
    key_data = tink_pb2.KeyData(
        type_url=KEY_TYPE, value=key.SerializeToString(), key_material_type=tink_pb2.KeyData.SYMMETRIC
    )
    only = tink_pb2.Keyset.Key(
        key_data=key_data, status=tink_pb2.ENABLED, key_id=1, output_prefix_type=tink_pb2.RAW
    )
    keyset = tink_pb2.Keyset(primary_key_id=1, key=[only])
    handle = proto_keyset_format.parse(keyset.SerializeToString(), secret_key_access.TOKEN)
    return handle.primitive(streaming_aead.StreamingAead)


class KeptBytes(io.BytesIO):
    """A file in memory whose content outlives its closing."""

    content = b""

    def close(self) -> None:
        """Keep the content, then close."""
        self.content = self.getvalue()
        super().close()


def tink_seal(data_key: bytes, record_id: bytes, plain: bytes) -> bytes:
    """Seal with Tink."""
    out = KeptBytes()
    with tink_with(data_key).new_encrypting_stream(out, record_id) as stream:
        stream.write(plain)
    return out.content


def tink_open(data_key: bytes, record_id: bytes, sealed: bytes) -> bytes:
    """Open with Tink."""
    with tink_with(data_key).new_decrypting_stream(io.BytesIO(sealed), record_id) as stream:
        plain: bytes = stream.read()
    return plain


def pattern(length: int) -> bytes:
    """Give plaintext in which no two segments look alike."""
    return b"".join(number.to_bytes(4, "big") for number in range(length // 4 + 1))[:length]


@pytest.mark.parametrize("length", LENGTHS)
def test_tink_opens_what_we_seal(length: int) -> None:
    """A reader with any Tink library needs nothing of ours but the data key."""
    data_key, record_id, plain = new_data_key(), new_record_id(), pattern(length)
    assert plain == tink_open(data_key, record_id, seal(data_key, record_id, plain))


@pytest.mark.parametrize("length", LENGTHS)
def test_we_open_what_tink_seals(length: int) -> None:
    """A record sealed by another Tink program is ours to read, and has the length we predict."""
    data_key, record_id, plain = new_data_key(), new_record_id(), pattern(length)
    sealed = tink_seal(data_key, record_id, plain)
    assert sealed_length(length) == len(sealed)
    assert plain == open_sealed(data_key, record_id, sealed)


def test_streaming_in_odd_chunks_is_the_same_format() -> None:
    """Tink opens a record that was fed in chunks that match no segment, and the other way round."""
    data_key, record_id, plain = new_data_key(), new_record_id(), pattern(2 * MIB + 12_345)
    sealer, opener = Sealer(data_key, record_id), Opener(data_key, record_id)
    sealed = b"".join(sealer.update(plain[at : at + 99_991]) for at in range(0, len(plain), 99_991))
    assert plain == tink_open(data_key, record_id, sealed + sealer.finish())
    theirs = tink_seal(data_key, record_id, plain)
    opened = b"".join(opener.update(theirs[at : at + 77_773]) for at in range(0, len(theirs), 77_773))
    assert plain == opened + opener.finish()


def test_tink_binds_the_record_id_as_we_do() -> None:
    """Under another record id, Tink refuses what we sealed."""
    data_key = new_data_key()
    sealed = seal(data_key, new_record_id(), b"blood group 0")
    with pytest.raises((tink.TinkError, OSError)):
        tink_open(data_key, new_record_id(), sealed)


def test_old_records_stay_readable() -> None:
    """A record sealed once by Tink, kept as literal bytes, opens for ever."""
    assert open_sealed(bytes(range(32)), bytes(range(16, 32)), SEALED_BY_TINK) == b"sealed in 2026"
