"""Definitions as they are handed out: files of one resource, and FHIR packages (NPM archives, `*.tgz`).

Packages: https://confluence.hl7.org/display/FHIR/NPM+Package+Specification. Of a package the definitions
count, its examples, operations and the like are passed over.
"""

from __future__ import annotations

import json
import re
import tarfile
import zlib
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import InputInvalid, InputMissing
from caregrid.fhir.profiles import KINDS, Profiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

#: All of a folder is parsed in memory; the largest national guides have a tenth of it.
MAX_BYTES: Final = 256 * 1024 * 1024
MAX_FILES: Final = 20_000

_MEMBER: Final = re.compile(r"package/[^/]+\.json")
_MANIFEST: Final = "package/package.json"
_DAMAGED: Final = (tarfile.TarError, EOFError, OSError, zlib.error)


def read_folder(folder: Path) -> Profiles:
    """Read every `*.json` and `*.tgz` that lies in a folder; they may be for several versions of FHIR.

    Raises:
        InputMissing: there is no such folder, or nothing is in it.
        InputInvalid: a file is too large, damaged, or no definition; the message names it.
    """
    if not folder.is_dir():
        raise InputMissing(f"there is no folder {folder}; make it, and put definitions into it")
    files = sorted(path for path in folder.iterdir() if path.suffix in {".json", ".tgz"})
    if not files:
        raise InputMissing(f"there is no *.json and no *.tgz in {folder}; put definitions there")
    if len(files) > MAX_FILES or sum(path.stat().st_size for path in files) > MAX_BYTES:
        raise InputInvalid(f"{folder} holds more than {MAX_FILES} files or {MAX_BYTES} bytes of definitions")
    return Profiles(tuple(one for path in files for one in _definitions(path)), mixed=True)


def _definitions(path: Path) -> tuple[Mapping[str, Any], ...]:
    try:
        if path.suffix == ".json":
            return Profiles.read([path]).definitions
        return tuple(_of_package(path))
    except InputInvalid as exc:
        raise InputInvalid(f"{path.name}: {exc}") from exc


def _of_package(path: Path) -> Iterator[Mapping[str, Any]]:
    texts = dict(_members(path))
    version = _version(texts.get(_MANIFEST))
    for text in texts.values():
        found = _parsed(text)
        if found.get("resourceType") in KINDS and isinstance(found.get("url"), str):
            yield {"fhirVersion": version, **found}  # of a ValueSet the package alone says so


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in _bounded(archive):
                file = archive.extractfile(member) if _MEMBER.fullmatch(member.name) else None
                if file is not None:
                    yield member.name, file.read()
    except _DAMAGED as exc:
        raise InputInvalid("it is no FHIR package, or damaged; fetch it again") from exc


def _bounded(archive: Iterable[tarfile.TarInfo]) -> Iterator[tarfile.TarInfo]:
    # Looked at before its bytes are: those are unpacked even when they are passed over.
    for number, member in enumerate(archive):
        if number >= MAX_FILES or member.offset_data + member.size > MAX_BYTES:
            raise InputInvalid(f"the package has more than {MAX_FILES} files or {MAX_BYTES} bytes")
        yield member


def _version(manifest: bytes | None) -> str:
    named = _parsed(manifest).get("fhirVersions") if manifest is not None else None
    if not isinstance(named, list) or not named or not isinstance(named[0], str):
        raise InputInvalid("its package.json names no fhirVersions; it is no FHIR package of definitions")
    return named[0]


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputInvalid("it holds a file that is no JSON object")
    return found
