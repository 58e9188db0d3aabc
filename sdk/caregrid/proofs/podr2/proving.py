"""Tags, proofs and their verification, by the scheme of the key."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import caregrid_native as native

from caregrid.errors import InputInvalid, ProtocolViolation
from caregrid.proofs.podr2.keys import PublicKey, SecretKey
from caregrid.proofs.podr2.scheme import Scheme, refusing

if TYPE_CHECKING:
    from caregrid.proofs.podr2.challenges import Challenge


def tag(key: SecretKey, fragment: bytes, *, digest: bytes | None = None, threads: int = 1) -> bytes:
    """Return the tags of a fragment of 8 MiB, which its keeper needs to answer.

    Args:
        key: the owner's.
        fragment: sealed bytes; tags and proofs say something about them.
        digest: the fragment's SHA-256 where it is known already. A wrong one makes proofs worthless.
        threads: among so many the work is divided; Python runs meanwhile.

    Raises:
        InputInvalid: the fragment is not 8 MiB, or the digest not 32 bytes.
    """
    name = sha256(fragment).digest() if digest is None else digest
    with refusing():
        return key.native.tag(fragment, name, threads)


def accepts_tags(
    key: PublicKey, fragment: bytes, tags: bytes, *, digest: bytes | None = None, threads: int = 1
) -> bool:
    """Tell whether tags, whatever their bytes are, are those of the fragment.

    A keeper asks before it promises to answer: with wrong tags an honest answer would look like a lie.

    Raises:
        InputInvalid: the fragment is not 8 MiB, or the digest not 32 bytes.
    """
    name = sha256(fragment).digest() if digest is None else digest
    with refusing():
        return key.native.accepts_tags(fragment, name, tags, threads)


def prove(fragment: bytes, tags: bytes, challenge: Challenge, *, threads: int = 1) -> bytes:
    """Answer a challenge by the scheme of the tags. The answer is about something else if the fragment is.

    Raises:
        InputInvalid: the fragment is not 8 MiB, or the tags are damaged.
    """
    with refusing():
        return native.podr2_prove(fragment, tags, challenge.encoded, threads)


def verify(
    key: PublicKey | SecretKey, digest: bytes, challenge: Challenge, proof: bytes, *, threads: int = 1
) -> bool:
    """Tell whether a proof, whatever its bytes are, answers the challenge for the fragment of this SHA-256.

    The key is the public key, or the owner's of the private scheme.

    Raises:
        InputInvalid: the digest is not 32 bytes, or the key is the secret one of the public scheme.
    """
    with refusing():
        if isinstance(key, PublicKey):
            return key.native.verify(digest, challenge.encoded, proof, threads)
        if isinstance(key.native, native.PrivateAuditor):
            return key.native.verify(digest, challenge.encoded, proof)
    raise InputInvalid("verify with `key.public_key()`, as everybody else")


def check_proof(scheme: Scheme, proof: bytes) -> None:
    """Refuse what cannot be a proof of this scheme, and say why.

    Raises:
        ProtocolViolation: its length or kind is wrong, a number is not canonical, or a point lies outside its
            group.
    """
    if len(proof) != scheme.proof_len:
        raise ProtocolViolation(f"a proof of the {scheme.value} scheme has {scheme.proof_len} bytes")
    try:
        native.podr2_check_proof(proof)
    except ValueError as exc:
        raise ProtocolViolation(str(exc)) from exc
