"""Many public proofs verified together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import caregrid_native as native

from caregrid.errors import InputTooLarge
from caregrid.proofs.podr2.proving import verify
from caregrid.proofs.podr2.scheme import refusing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.proofs.podr2.challenges import Challenge
    from caregrid.proofs.podr2.keys import PublicKey

#: More than this in one call would keep its caller waiting for minutes.
MAX_CLAIMS: Final = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """That a proof answers a challenge for the fragment of this SHA-256."""

    key: PublicKey
    digest: bytes
    challenge: Challenge
    proof: bytes


def verify_batch(claims: Sequence[Claim], *, threads: int = 1) -> list[bool]:
    """Tell of each claim whether it is true; when all are, that costs less than one by one.

    A false claim is found by halving, which costs one more look at each half with a false claim in it.

    Raises:
        InputInvalid: a digest is not 32 bytes.
        InputTooLarge: there are more than 4,096 claims.
    """
    if len(claims) > MAX_CLAIMS:
        raise InputTooLarge(f"verify at most {MAX_CLAIMS} proofs together", limit=MAX_CLAIMS)
    if not claims:
        return []
    if len(claims) == 1:
        only = claims[0]
        return [verify(only.key, only.digest, only.challenge, only.proof, threads=threads)]
    if _all_true(claims, threads):
        return [True] * len(claims)
    middle = len(claims) // 2
    return verify_batch(claims[:middle], threads=threads) + verify_batch(claims[middle:], threads=threads)


def _all_true(claims: Sequence[Claim], threads: int) -> bool:
    with refusing():
        return native.podr2_verify_batch(
            [claim.key.native for claim in claims],
            [claim.digest for claim in claims],
            [claim.challenge.encoded for claim in claims],
            [claim.proof for claim in claims],
            threads,
        )
