"""Opens a sealed record with Tink: open.py RECORD KEYFILE SEALED OUT."""  # noqa: INP001 - a program

import shutil
import sys
from pathlib import Path

from tink import proto_keyset_format, secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

KEY_TYPE = "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey"


def cipher_of(data_key: bytes) -> streaming_aead.StreamingAead:
    """Give Tink the key with the parameters of the format."""
    params = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
        ciphertext_segment_size=1048576, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
    )
    key = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(params=params, key_value=data_key)
    data = tink_pb2.KeyData(type_url=KEY_TYPE, value=key.SerializeToString(), key_material_type="SYMMETRIC")
    entry = tink_pb2.Keyset.Key(key_data=data, status="ENABLED", key_id=1, output_prefix_type="RAW")
    keyset = tink_pb2.Keyset(primary_key_id=1, key=[entry])
    streaming_aead.register()
    handle = proto_keyset_format.parse(keyset.SerializeToString(), secret_key_access.TOKEN)
    return handle.primitive(streaming_aead.StreamingAead)


def main(record: str, key_file: str, sealed: str, out: str) -> None:
    """Write the content to a file, which appears when all of the record has proved authentic."""
    cipher = cipher_of(bytes.fromhex(Path(key_file).read_text()))
    part = Path(f"{out}.part")
    try:
        with (
            Path(sealed).open("rb") as source,
            cipher.new_decrypting_stream(source, bytes.fromhex(record)) as plain,
            part.open("xb") as target,
        ):
            shutil.copyfileobj(plain, target, 1 << 20)
        part.rename(out)
    finally:
        part.unlink(missing_ok=True)


main(*sys.argv[1:])
