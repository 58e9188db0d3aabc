"""docs/how-to/open-without-caregrid.md: its programs are the files beside it, and the Python one is run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from caregrid.sealed import new_data_key, new_record_id, seal
from tests.unit.sealed.samples import FIRST, MIB, SECOND, pattern

FOLDER: Final = Path(__file__).resolve().parents[3] / "docs/how-to"
PAGE: Final = (FOLDER / "open-without-caregrid.md").read_text()
PROGRAM: Final = FOLDER / "open.py"
#: Tink's library takes a second to load; a busy machine may take many.
RUN_TIMEOUT_S: Final = 120.0

KEY: Final = new_data_key()
RECORD: Final = new_record_id()


def opened(folder: Path, sealed: bytes, *, key: bytes = KEY, record: bytes = RECORD) -> tuple[int, str]:
    """Run the program on sealed bytes; return exit code and what it said of it."""
    (folder / "record.sealed").write_bytes(sealed)
    (folder / "record.key").write_text(key.hex() + "\n")
    arguments = [record.hex(), *(str(folder / f"record.{part}") for part in ("key", "sealed", "out"))]
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments],
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        env={"PATH": os.environ["PATH"]},
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("language", "name"), [("go", "open.go"), ("java", "Open.java"), ("python", "open.py")]
)
def test_the_page_shows_the_files(language: str, name: str) -> None:
    """What a reader copies from the page is what was run."""
    [shown] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert (FOLDER / name).read_text().replace("  # noqa: INP001 - a program", "") == shown
    assert f"]({name})" in PAGE


def test_every_program_has_the_parameters_of_the_format() -> None:
    """Segments of 1 MiB and derived keys of 32 bytes with SHA-256, in each language's own words."""
    for name, words in {
        "open.go": 'NewAESGCMHKDF(dataKey, "SHA256", 32, 1048576, 0)',
        "Open.java": 'AesGcmHkdfStreaming(dataKey, "HmacSha256", 32, 1048576, 0)',
        "open.py": "ciphertext_segment_size=1048576, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256",
    }.items():
        assert words in (FOLDER / name).read_text()
    assert MIB == 1_048_576


@pytest.mark.parametrize("length", [0, FIRST, SECOND + 777])
def test_the_program_opens_what_caregrid_sealed(tmp_path: Path, length: int) -> None:
    """The content comes out to the byte, and nothing is left beside it."""
    assert (0, "") == opened(tmp_path, seal(KEY, RECORD, pattern(length)))
    assert pattern(length) == (tmp_path / "record.out").read_bytes()
    assert not (tmp_path / "record.out.part").exists()


def test_the_program_refuses_what_is_not_whole(tmp_path: Path) -> None:
    """Cut, altered, or of another record: no file, and no key in what it says."""
    sealed = seal(KEY, RECORD, pattern(SECOND + 777))
    altered = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for content, record in ((sealed[: 2 * MIB], RECORD), (altered, RECORD), (sealed, new_record_id())):
        code, said = opened(tmp_path, content, record=record)
        assert code != 0
        assert KEY.hex() not in said
        assert {"record.sealed", "record.key"} == {path.name for path in tmp_path.iterdir()}
