"""What Python cannot do fast enough."""

from collections.abc import Sequence

from _typeshed import ReadableBuffer, WriteableBuffer

def combine(rows: Sequence[bytes], shards: Sequence[bytes], /) -> bytes:
    """Return `sum(rows[r][k] * shards[k])` for one row after the other, in GF(2^8) with CESS's polynomial.

    Other threads run meanwhile.

    Raises:
        ValueError: the shards differ in length, or a row has not one coefficient for each of them.
    """

def disperse(
    rows: Sequence[bytes], segment: ReadableBuffer, parity: WriteableBuffer, /
) -> tuple[bytes, list[bytes]]:
    """Write a segment's parity fragments one after another, and return SHA-256 of segment and fragments.

    Other threads run meanwhile; none of them may write to the two buffers.

    Args:
        rows: four coefficients for each parity fragment.
        segment: 1 byte to 32 MiB, padded with zero bytes on the right.
        parity: 8 MiB for each row.

    Returns:
        Hash of the padded segment; hashes of four data fragments and of the parity, in order.

    Raises:
        ValueError: the buffers have other sizes, overlap, or the second one is not writable.
    """

class PublicTagger:
    """The owner's key of the public scheme of PoDR². Threads may share it."""

    def __init__(self, seed: bytes, /) -> None:
        """Derive the key.

        Raises:
            ValueError: the seed is not 32 bytes, or zero.
        """

    def public_key(self) -> bytes:
        """Return the public key, encoded."""

    def tag(self, fragment: bytes, digest: bytes, threads: int, /) -> bytes:
        """Return a fragment's tags, encoded.

        Raises:
            ValueError: the fragment is not 8 MiB, or the digest not 32 bytes.
        """

class PublicVerifier:
    """An owner's public key of PoDR². Threads may share it."""

    def __init__(self, encoded: bytes, /) -> None:
        """Read a public key and check that its points lie in their groups, which takes some milliseconds.

        Raises:
            ValueError: it is none.
        """

    def verify(self, digest: bytes, challenge: bytes, proof: bytes, threads: int, /) -> bool:
        """Tell whether a proof, whatever its bytes are, answers the challenge.

        Raises:
            ValueError: digest or challenge is none.
        """

    def accepts_tags(self, fragment: bytes, digest: bytes, tags: bytes, threads: int, /) -> bool:
        """Tell whether tags, whatever their bytes are, are those of the fragment.

        Raises:
            ValueError: the fragment is not 8 MiB or the digest not 32 bytes, or there were no random bytes.
        """

class PrivateAuditor:
    """The owner's key of the private scheme of PoDR². Threads may share it."""

    def __init__(self, seed: bytes, /) -> None:
        """Derive the key.

        Raises:
            ValueError: the seed is not 32 bytes, or zero.
        """

    def tag(self, fragment: bytes, digest: bytes, threads: int, /) -> bytes:
        """Return a fragment's tags, encoded.

        Raises:
            ValueError: the fragment is not 8 MiB, or the digest not 32 bytes.
        """

    def verify(self, digest: bytes, challenge: bytes, proof: bytes, /) -> bool:
        """Tell whether a proof, whatever its bytes are, answers the challenge.

        Raises:
            ValueError: digest or challenge is none.
        """

def podr2_challenge(seed: bytes, count: int, /) -> bytes:
    """Derive the challenge of so many blocks from a seed, encoded.

    Raises:
        ValueError: the seed is not 32 bytes, or the count not from 1 to 1,024.
        OverflowError: the count is negative or beyond 65,535.
    """

def podr2_challenge_of(pairs: Sequence[tuple[int, int]], /) -> bytes:
    """Encode a challenge of blocks and coefficients.

    Raises:
        ValueError: one is out of its range, or the blocks do not ascend.
        OverflowError: one is negative, an index is beyond 65,535, or a coefficient beyond 128 bits.
    """

def podr2_prove(fragment: bytes, tags: bytes, challenge: bytes, threads: int, /) -> bytes:
    """Answer a challenge by the scheme of the tags, encoded.

    Raises:
        ValueError: the fragment is not 8 MiB, the tags are damaged, or the challenge is none.
    """

def podr2_check_proof(proof: bytes, /) -> None:
    """Refuse what is no proof of either scheme.

    Raises:
        ValueError: its length or kind is wrong, or a value in it is not canonical or not in its group.
    """

def podr2_verify_batch(
    keys: Sequence[PublicVerifier],
    digests: Sequence[bytes],
    challenges: Sequence[bytes],
    proofs: Sequence[bytes],
    threads: int,
    /,
) -> bool:
    """Tell whether all proofs are right; claims of one owner share a key object, to be cheaper.

    Raises:
        ValueError: the numbers of them differ, there is none, or a digest or challenge is none.
    """

class Validator:
    """Judges content by the definitions of one FHIR version. Threads may share it."""

    def __init__(self, definitions: bytes, /) -> None:
        """Load packed definitions, which takes a tenth of a second.

        Raises:
            ValueError: they are damaged, or of another form.
        """

    def add_structures(self, fragment: str, /) -> None:
        """Add profiles, value sets and code systems: definitions in JSON, not packed; validate nothing then.

        Raises:
            ValueError: they are damaged, or of another form.
        """

    def validate(self, content: bytes, max_issues: int = 100, profiles: Sequence[str] = ()) -> Report:
        """Judge content, whatever it is; other threads run meanwhile.

        Args:
            content: UTF-8 JSON of a resource.
            max_issues: how many are listed.
            profiles: canonical URLs that the resource must follow, beside those in `meta.profile`.
        """

class Report:
    """What was found in one content."""

    @property
    def valid(self) -> bool:
        """Nothing is an error or worse."""

    @property
    def resource_type(self) -> str | None:
        """The kind of resource, if it is one that the version has."""

    @property
    def truncated(self) -> int:
        """How many issues are not listed."""

    @property
    def issues(self) -> list[tuple[str, str, str, str | None, str, str, int, int]]:
        """Severity, FHIR issue type, rule, key, text, FHIRPath, line and column of each."""

    def outcome_json(self) -> bytes:
        """Return a FHIR OperationOutcome."""
