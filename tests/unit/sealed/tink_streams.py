"""Tink's own streaming AEAD with the parameters of format v1; `streaming_aead.register()` comes first."""

from __future__ import annotations

import io
from typing import Any, Final

from tink import proto_keyset_format, secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

from tests.unit.sealed.samples import MIB

KEY_TYPE: Final = "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey"


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
