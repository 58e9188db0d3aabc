"""A file that looks like a scan: a DICOM header and smooth 16-bit frames."""

from __future__ import annotations

import math
import random
import struct
from array import array
from typing import TYPE_CHECKING, Final

from example_data.facts import SEED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMAGING_BYTES: Final = 40 * 1024 * 1024
FRAME_SIDE: Final = 512
FRAME_BYTES: Final = FRAME_SIDE * FRAME_SIDE * 2
EXPLICIT_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
MULTI_FRAME_WORD: Final = "1.2.840.10008.5.1.4.1.1.7.3"  # Multi-frame Grayscale Word Secondary Capture


def imaging_like(path: Path, size: int = IMAGING_BYTES) -> None:
    """Write a file of exactly `size` bytes that looks like a scan: DICOM header, 16-bit frames, padding.

    Raises:
        ValueError: there is no room for the header and one frame.
    """
    padding_header = 12
    room = size - len(dicom_header(0)) - padding_header
    frames, spare = divmod(room - room % 2, FRAME_BYTES)
    if frames < 1 or size % 2:
        raise ValueError(f"size must be even and at least {FRAME_BYTES + size - room} bytes")
    with path.open("wb") as out:
        out.write(dicom_header(frames))
        out.writelines(image_frames(frames))
        out.write(element(0xFFFC, 0xFFFC, "OB", bytes(spare)))


def dicom_header(frames: int) -> bytes:
    """Return everything up to the first pixel; its length does not depend on the number of frames."""
    image = "2.25.329800735698586629295641978511506172918"
    meta = b"".join(
        (
            element(0x0002, 0x0001, "OB", b"\0\1"),
            element(0x0002, 0x0002, "UI", MULTI_FRAME_WORD),
            element(0x0002, 0x0003, "UI", image),
            element(0x0002, 0x0010, "UI", EXPLICIT_LITTLE_ENDIAN),
            element(0x0002, 0x0012, "UI", "2.25.113059749145936325402354257176981405696"),
        )
    )
    data = b"".join(
        (
            element(0x0008, 0x0016, "UI", MULTI_FRAME_WORD),
            element(0x0008, 0x0018, "UI", image),
            element(0x0008, 0x0060, "CS", "OT"),
            element(0x0010, 0x0010, "PN", "Testpatient^Examplina"),
            element(0x0010, 0x0020, "LO", "SYNTHETIC-000001"),
            element(0x0020, 0x000D, "UI", f"{image[:-1]}1"),
            element(0x0020, 0x000E, "UI", f"{image[:-1]}2"),
            element(0x0028, 0x0002, "US", struct.pack("<H", 1)),
            element(0x0028, 0x0004, "CS", "MONOCHROME2"),
            element(0x0028, 0x0008, "IS", f"{frames:<6}"),
            element(0x0028, 0x0010, "US", struct.pack("<H", FRAME_SIDE)),
            element(0x0028, 0x0011, "US", struct.pack("<H", FRAME_SIDE)),
            element(0x0028, 0x0100, "US", struct.pack("<H", 16)),
            element(0x0028, 0x0101, "US", struct.pack("<H", 12)),
            element(0x0028, 0x0102, "US", struct.pack("<H", 11)),
            element(0x0028, 0x0103, "US", struct.pack("<H", 0)),
        )
    )
    group_length = element(0x0002, 0x0000, "UL", struct.pack("<I", len(meta)))
    pixels = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, frames * FRAME_BYTES)
    return bytes(128) + b"DICM" + group_length + meta + data + pixels


def element(group: int, number: int, kind: str, value: bytes | str) -> bytes:
    """Return one data element in explicit VR little endian (DICOM PS3.5, 7.1.2)."""
    raw = value.encode("ascii") if isinstance(value, str) else value
    raw += (b"\0" if kind in {"UI", "OB"} else b" ") * (len(raw) % 2)
    tag = struct.pack("<HH2s", group, number, kind.encode("ascii"))
    return tag + (struct.pack("<HI", 0, len(raw)) if kind == "OB" else struct.pack("<H", len(raw))) + raw


def image_frames(frames: int) -> Iterator[bytes]:
    """Yield frames of smooth 12-bit structure that drifts between frames, with noise in the low 4 bits."""
    noise = random.Random(SEED)  # noqa: S311 - pixels need no secrets
    mask = int.from_bytes(b"\x0f\x00" * (FRAME_BYTES // 2), "little")
    wave = smooth_line(4 * FRAME_SIDE)
    for frame in range(frames):
        smooth = b"".join(line_at(wave, frame, row) for row in range(FRAME_SIDE))
        grain = noise.getrandbits(8 * FRAME_BYTES) & mask
        yield (int.from_bytes(smooth, "little") | grain).to_bytes(FRAME_BYTES, "little")


def smooth_line(length: int) -> bytes:
    """Return one period of a smooth curve of 12-bit values with the low 4 bits free, twice over."""
    angles = [2 * math.pi * position / length for position in range(length)]
    values = array("H", (int(2048 + 1100 * math.sin(a) + 700 * math.sin(3 * a + 1)) & 0xFFF0 for a in angles))
    return struct.pack(f"<{length}H", *values) * 2


def line_at(wave: bytes, frame: int, row: int) -> bytes:
    """Return one row of a frame, cut from the curve where row and frame have shifted it to."""
    period = len(wave) // 4
    shift = int(row + 40 * math.sin(row / 60) + 9 * frame) % period
    return wave[2 * shift : 2 * (shift + FRAME_SIDE)]
