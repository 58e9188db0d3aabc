"""What is wrong with a record that does not open has a name of its own, as far as that can be told."""

from __future__ import annotations

import logging
import traceback
from typing import Final

import pytest

from caregrid.errors import IntegrityFailed, SealBroken, SealForeign, SealFormatUnknown, SealTruncated
from caregrid.sealed import (
    Opener,
    SealedReader,
    Sealer,
    new_data_key,
    new_record_id,
    open_sealed,
    seal,
)
from tests.unit.sealed.samples import FIRST, MIB, SECOND, pattern, served

KEY: Final = new_data_key()
RECORD: Final = new_record_id()
SEALED: Final = seal(KEY, RECORD, pattern(SECOND + 1000))


def refusal(sealed: bytes, *, data_key: bytes = KEY, record_id: bytes = RECORD) -> type[SealBroken]:
    """Open what must not open and return the error's class."""
    with pytest.raises(SealBroken) as caught:
        open_sealed(data_key, record_id, sealed)
    return caught.type


def test_another_key_or_record() -> None:
    """Nothing opens: the key or the id is another record's. Which of the two, nobody can tell."""
    assert SealForeign is refusal(SEALED, data_key=new_data_key())
    assert SealForeign is refusal(SEALED, record_id=new_record_id())
    assert "check that both are its own" in str(SealForeign())


def test_a_record_that_was_cut() -> None:
    """Cut in the header, in the first tag, at a segment's edge, or so that a bare tag remains."""
    for stop in (0, 1, 39, 40, 55, MIB, 2 * MIB, MIB + 1, MIB + 16):
        assert SealTruncated is refusal(SEALED[:stop]), stop
    assert "fetch all of it again" in str(SealTruncated())


async def test_a_cut_within_a_segment_is_told_where_the_length_is_known() -> None:
    """Without a length it could be an altered byte as well; with the anchored one it is a cut."""
    short = SEALED[: MIB + 5000]
    assert SealBroken is refusal(short)
    reader = SealedReader(KEY, RECORD, served(short), len(SEALED))
    with pytest.raises(SealTruncated):
        [chunk async for chunk in reader.stream()]


@pytest.mark.parametrize("first", [b"{", b"\x00", b"\x29", b"\x27", b"PK\x03\x04"])
def test_another_format(first: bytes) -> None:
    """A record of a later format, or a file that is none, is told from a broken one."""
    assert SealFormatUnknown is refusal(first + SEALED[len(first) :])
    assert SealFormatUnknown is refusal(first)
    assert "update CareGrid" in str(SealFormatUnknown())


def test_an_altered_record() -> None:
    """Once a segment has opened, key and id are right, so a later fault is damage."""
    forged = bytearray(SEALED)
    forged[MIB + 7] ^= 1
    assert SealBroken is refusal(bytes(forged))
    whole = seal(KEY, RECORD, bytes(FIRST))
    assert SealBroken is refusal(whole + b"tail")


def test_all_of_them_are_integrity_failures() -> None:
    """Whoever catches `SealBroken`, or acts on its exit code, catches the closer ones."""
    for kind in (SealForeign, SealFormatUnknown, SealTruncated):
        assert issubclass(kind, SealBroken)
        assert issubclass(kind, IntegrityFailed)
        assert SealBroken.exit_code == kind.exit_code


def test_nothing_secret_shows(caplog: pytest.LogCaptureFixture) -> None:
    """No error, its traceback, a log line or the form of an object holds key, id or content."""
    caplog.set_level(logging.DEBUG)
    canary = b"canary-content-7f3a"
    sealed = bytearray(seal(KEY, RECORD, canary * 100_000))
    sealed[-1] ^= 1
    opener, sealer = Opener(KEY, RECORD), Sealer(KEY, RECORD)
    with pytest.raises(SealBroken) as caught:
        opener.update(bytes(sealed)) + opener.finish()
    reader = SealedReader(KEY, RECORD, served(bytes(sealed)), len(sealed))
    shown = "\n".join(
        [
            *traceback.format_exception(caught.value),
            repr(caught.value.facts()),
            caplog.text,
            *map(repr, (opener, sealer, reader, opener._cipher)),
        ]
    )
    for secret in (KEY, RECORD, canary):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown
