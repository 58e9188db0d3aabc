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
    """Write a segment's parity fragments one after another, and return SHA-256 of the segment and its fragments.

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
