"""PoDR²: proofs that the bytes are still there, checked without downloading them.

::

    owner    key = keygen("public")                 keeps it secret, publishes key.public_key()
    owner    tags = tag(key, fragment)              gives both to a storage node
    node     accepts_tags(public_key, ...)          before it promises to answer for them
    anybody  challenge = derive(origin)             from finalized blocks that nobody could choose
    node     proof = prove(fragment, tags, challenge)
    anybody  verify(public_key, digest, challenge, proof)

Two schemes of Shacham and Waters (2008): with "public" anybody can verify, with "private" the owner alone,
and faster by far. `docs/reference/podr2.md` has every byte. It loads native code, so :mod:`caregrid.proofs`
does not import it.
"""

from caregrid.proofs.podr2.batch import MAX_CLAIMS, Claim, verify_batch
from caregrid.proofs.podr2.challenges import MAX_CHALLENGE_LEN, MIXED_BLOCKS, Challenge, Origin, derive
from caregrid.proofs.podr2.detection import DEFAULT_COUNT, blocks_needed, detection
from caregrid.proofs.podr2.keys import SEED_LEN, PublicKey, SecretKey, keygen
from caregrid.proofs.podr2.proving import accepts_tags, check_proof, prove, tag, verify
from caregrid.proofs.podr2.scheme import BLOCK_LEN, BLOCKS, FRAGMENT_LEN, PUBLIC_KEY_LEN, Scheme

__all__ = [
    "BLOCKS",
    "BLOCK_LEN",
    "DEFAULT_COUNT",
    "FRAGMENT_LEN",
    "MAX_CHALLENGE_LEN",
    "MAX_CLAIMS",
    "MIXED_BLOCKS",
    "PUBLIC_KEY_LEN",
    "SEED_LEN",
    "Challenge",
    "Claim",
    "Origin",
    "PublicKey",
    "Scheme",
    "SecretKey",
    "accepts_tags",
    "blocks_needed",
    "check_proof",
    "derive",
    "detection",
    "keygen",
    "prove",
    "tag",
    "verify",
    "verify_batch",
]
