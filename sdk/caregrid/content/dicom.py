"""DICOM as far as its header goes: readable, and naming what it is (PS3.10 section 7, PS3.3 C.7 and C.12).

Only UIDs and the modality are ever decoded: names of patients are skipped as bytes, so that no text, log or
error of ours has them. Pixels are not read.
"""

from __future__ import annotations

import io
import logging
import re
import struct
import threading
import warnings
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from caregrid.content.faults import Issue, Rule
from caregrid.content.sniffing import DICOM_MAGIC, DICOM_PREAMBLE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A deflated data set is unpacked so far at most; what is wanted lies at its beginning.
MAX_INFLATED_BYTES: Final = 4 * 1024 * 1024

NOT_DICOM: Final = Rule("dicom", "structure", "a DICOM file has `DICM` at byte 128")
META: Final = Rule(
    "dicom-meta", "structure", "the file meta information has no valid transfer syntax UID (0002,0010)"
)
UNREADABLE: Final = Rule(
    "dicom-unreadable", "structure", "the data set cannot be read with its transfer syntax"
)
OTHER_INSTANCE: Final = Rule(
    "dicom-instance", "structure", "the file meta information names another SOP instance than the data set"
)
NO_MODALITY: Final = Rule("dicom-modality", "required", "the modality (0008,0060) is missing", "warning")

_TRANSFER_SYNTAX: Final = 0x0002_0010
_META_INSTANCE: Final = 0x0002_0003
_SOP_CLASS: Final = 0x0008_0016
_SOP_INSTANCE: Final = 0x0008_0018
_MODALITY: Final = 0x0008_0060
_STUDY: Final = 0x0020_000D
_SERIES: Final = 0x0020_000E
_WANTED: Final = (_SOP_CLASS, _SOP_INSTANCE, _MODALITY, _STUDY, _SERIES)
#: Tags ascend, so nothing that is wanted comes from here on.
_BEHIND: Final = 0x0020_000F

_UIDS: Final = {
    _SOP_CLASS: Rule("dicom-uid", "required", "the SOP class UID (0008,0016) is missing or no UID"),
    _SOP_INSTANCE: Rule("dicom-uid", "required", "the SOP instance UID (0008,0018) is missing or no UID"),
    _STUDY: Rule("dicom-uid", "required", "the study instance UID (0020,000D) is missing or no UID"),
    _SERIES: Rule("dicom-uid", "required", "the series instance UID (0020,000E) is missing or no UID"),
}
_UID: Final = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_MAX_UID_CHARS: Final = 64
_MODALITY_FORM: Final = re.compile(r"[A-Z0-9_ ]{1,16}")

_IMPLICIT: Final = "1.2.840.10008.1.2"
_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
_DEFLATED: Final = "1.2.840.10008.1.2.1.99"

#: UIDs and modalities are far shorter; longer values are skipped unread.
_DEFER_BYTES: Final = 1024

#: pydicom warns with values of the file in its texts, and filters of warnings are the whole process's.
_QUIET: Final = threading.Lock()


@dataclass(frozen=True, kw_only=True, slots=True)
class DicomFacts:
    """What a file says it is. UIDs identify a study: they stay inside the trust boundary."""

    transfer_syntax: str
    sop_class: str
    sop_instance: str
    study: str | None  #: None if the beginning that was given does not reach so far
    series: str | None
    modality: str | None


class _UnreadableError(Exception):
    def __init__(self, issues: list[Issue]) -> None:
        super().__init__()
        self.issues = issues


def examine(source: BinaryIO, *, whole: bool = False) -> list[Issue]:
    """Return what is wrong with a DICOM file; nothing is ever raised for what is in it.

    Args:
        source: the file, or its beginning; it must be able to seek.
        whole: nothing follows what is given, so what is missing is missing.
    """
    try:
        return _judged(_Header.read(source), whole=whole)
    except _UnreadableError as fault:
        return fault.issues


def read_facts(source: BinaryIO) -> DicomFacts | None:
    """Return what a DICOM file says it is, or None if it is not readable."""
    try:
        header = _Header.read(source)
    except _UnreadableError:
        return None
    if any(issue.rule.severity == "error" for issue in _judged(header, whole=False)):
        return None
    return DicomFacts(
        transfer_syntax=header.transfer_syntax,
        sop_class=header.texts[_SOP_CLASS],
        sop_instance=header.texts[_SOP_INSTANCE],
        study=header.texts.get(_STUDY),
        series=header.texts.get(_SERIES),
        modality=header.texts.get(_MODALITY),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Header:
    transfer_syntax: str
    meta_instance: str | None
    texts: dict[int, str]
    ended: bool  # the bytes ended before a later element was seen

    @classmethod
    def read(cls, source: BinaryIO) -> _Header:
        if source.read(DICOM_PREAMBLE_BYTES + len(DICOM_MAGIC))[DICOM_PREAMBLE_BYTES:] != DICOM_MAGIC:
            raise _UnreadableError([Issue(NOT_DICOM)])
        meta, _ = _elements(
            source, (_TRANSFER_SYNTAX, _META_INSTANCE), 0x0003_0000, implicit=False, little=True
        )
        syntax = meta.get(_TRANSFER_SYNTAX)
        if syntax is None or not _is_uid(syntax):
            raise _UnreadableError([Issue(META)])
        data = _inflated(source) if syntax == _DEFLATED else source
        texts, ended = _elements(
            data, _WANTED, _BEHIND, implicit=syntax == _IMPLICIT, little=syntax != _BIG_ENDIAN
        )
        return cls(transfer_syntax=syntax, meta_instance=meta.get(_META_INSTANCE), texts=texts, ended=ended)


def _judged(header: _Header, *, whole: bool) -> list[Issue]:
    open_end = header.ended and not whole
    missing = {tag for tag in _UIDS if not _is_uid(header.texts.get(tag, ""))}
    if open_end:
        missing -= {tag for tag in (_STUDY, _SERIES) if tag not in header.texts}
    issues = [Issue(rule) for tag, rule in _UIDS.items() if tag in missing]
    if header.meta_instance not in {None, header.texts.get(_SOP_INSTANCE)} and _SOP_INSTANCE not in missing:
        issues.append(Issue(OTHER_INSTANCE))
    if not issues and not _MODALITY_FORM.fullmatch(header.texts.get(_MODALITY, "")):
        issues.append(Issue(NO_MODALITY))
    return issues


def _is_uid(text: str) -> bool:
    return len(text) <= _MAX_UID_CHARS and _UID.fullmatch(text) is not None


def _elements(
    source: BinaryIO, wanted: tuple[int, ...], behind: int, *, implicit: bool, little: bool
) -> tuple[dict[int, str], bool]:
    """Return the texts of wanted elements, and whether the bytes ended before an element behind them."""
    passed = False

    def is_behind(tag: int, _vr: str | None, _length: int) -> bool:
        nonlocal passed
        passed = tag >= behind
        return passed

    texts: dict[int, str] = {}
    for element in _quietly(source, wanted, is_behind, implicit=implicit, little=little):
        value = element.value
        if element.tag in wanted and isinstance(value, bytes) and len(value) == element.length:
            texts[int(element.tag)] = value.decode("ascii", "replace").rstrip("\0 ").lstrip(" ")
    return texts, not passed


def _quietly(
    source: BinaryIO, wanted: tuple[int, ...], stop_when: Any, *, implicit: bool, little: bool
) -> Iterator[Any]:
    # Loading pydicom takes longer than validating a thousand resources, which need it not.
    from pydicom.filereader import data_element_generator  # noqa: PLC0415 - see above

    with _QUIET, warnings.catch_warnings(), _unlogged():
        warnings.simplefilter("ignore")
        try:
            yield from data_element_generator(
                source, implicit, little, stop_when, _DEFER_BYTES, specific_tags=list(wanted)
            )
        except (EOFError, struct.error):
            return  # the bytes end within an element
        except Exception:  # noqa: BLE001 - whatever pydicom meets in a hostile file; its text may quote the file
            raise _UnreadableError([Issue(UNREADABLE)]) from None


def _inflated(source: BinaryIO) -> BinaryIO:
    try:
        return io.BytesIO(
            zlib.decompressobj(-zlib.MAX_WBITS).decompress(
                source.read(MAX_INFLATED_BYTES), MAX_INFLATED_BYTES
            )
        )
    except zlib.error:
        raise _UnreadableError([Issue(UNREADABLE)]) from None


@contextmanager
def _unlogged() -> Iterator[None]:
    # What pydicom says elsewhere in the process is not ours to silence.
    reader, logger = threading.get_ident(), logging.getLogger("pydicom")

    def is_of_others(_record: logging.LogRecord) -> bool:
        return threading.get_ident() != reader

    logger.addFilter(is_of_others)
    try:
        yield
    finally:
        logger.removeFilter(is_of_others)
