"""A folder of definitions and FHIR packages becomes profiles, each for its own version; nothing harms."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.errors import DefinitionUnusable, InputInvalid, InputMissing
from caregrid.fhir import FhirValidator, packages
from caregrid.fhir.packages import read_folder
from caregrid.records import RecordFormat

if TYPE_CHECKING:
    from pathlib import Path

R4, R4B, R5 = RecordFormat.FHIR_R4_JSON, RecordFormat.FHIR_R4B_JSON, RecordFormat.FHIR_R5_JSON
URL = "https://example.org/fhir/StructureDefinition/dated"


def profile(**more: Any) -> dict[str, Any]:
    """A profile by which patients have a date of birth."""
    return {
        "resourceType": "StructureDefinition",
        "url": URL,
        "name": "Dated",
        "type": "Patient",
        "kind": "resource",
        "derivation": "constraint",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
        "differential": {"element": [{"id": "Patient.birthDate", "path": "Patient.birthDate", "min": 1}]},
        **more,
    }


def package(path: Path, files: dict[str, Any]) -> None:
    """Write an NPM archive."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            text = content if isinstance(content, bytes) else json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))


def manifest(version: str) -> dict[str, Any]:
    """What a package says of itself."""
    return {"name": "example.guide", "version": "1.0.0", "fhirVersions": [version]}


def accepts(validator: FhirValidator, record_format: RecordFormat) -> bool:
    """Tell whether a patient without a date passes who claims the profile."""
    claim = json.dumps({"resourceType": "Patient", "active": True, "meta": {"profile": [URL]}})
    return validator.validate(claim.encode(), record_format).valid


def test_a_file_is_a_profile(tmp_path: Path) -> None:
    """What claims a profile of the folder must follow it."""
    (tmp_path / "dated.json").write_text(json.dumps(profile()))
    (tmp_path / "readme.txt").write_text("not looked at")
    assert accepts(FhirValidator(), R4)
    assert not accepts(FhirValidator(profiles=read_folder(tmp_path)), R4)


def test_a_package_serves_its_version(tmp_path: Path) -> None:
    """Definitions of a package are for the FHIR version it names; R4's serve R4B, too."""
    files = {
        "package/package.json": manifest("4.0.1"),
        "package/StructureDefinition-dated.json": profile(),
        "package/ImplementationGuide-x.json": {"resourceType": "ImplementationGuide", "url": "x"},
        "package/.index.json": {"files": []},
        "package/example/Patient-bad.json": b"no json",
        "package/other/x.txt": b"x",
    }
    package(tmp_path / "example.guide.tgz", files)
    found = read_folder(tmp_path)
    assert 1 == len(found.definitions)
    validator = FhirValidator(profiles=found)
    assert [False, False, True] == [accepts(validator, version) for version in (R4, R4B, R5)]


def test_versions_may_be_mixed(tmp_path: Path) -> None:
    """One folder serves a sidecar that takes several versions in."""
    package(tmp_path / "a.tgz", {"package/package.json": manifest("5.0.0"), "package/p.json": profile()})
    (tmp_path / "b.json").write_text(json.dumps(profile(fhirVersion="4.0.1")))
    validator = FhirValidator(profiles=read_folder(tmp_path))
    validator.warm_up(R4, R4B, R5)
    assert [False, False, False] == [accepts(validator, version) for version in (R4, R4B, R5)]


@pytest.mark.parametrize(
    "files",
    [
        {"a.json": b"{"},
        {"a.json": b'{"resourceType": "Patient"}'},
        {"a.tgz": b"no archive"},
        {"a.tgz": gzip.compress(b"no archive either")},
        {"a.tgz": b""},
    ],
)
def test_what_is_no_definition_is_named(tmp_path: Path, files: dict[str, bytes]) -> None:
    """The message says in which file to look."""
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputInvalid, match=next(iter(files))):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    "files",
    [
        {"package/p.json": profile()},
        {"package/package.json": {"name": "x"}, "package/p.json": profile()},
        {"package/package.json": manifest("4.0.1"), "package/p.json": b"["},
        {"package/package.json": manifest("4.0.1"), "package/p.json": b"[]"},
    ],
)
def test_what_is_no_package_is_named(tmp_path: Path, files: dict[str, Any]) -> None:
    """Likewise for what is in an archive."""
    package(tmp_path / "guide.tgz", files)
    with pytest.raises(InputInvalid, match=r"guide\.tgz"):
        read_folder(tmp_path)


def test_cut_package_is_refused(tmp_path: Path) -> None:
    """A download that broke off is no package."""
    path = tmp_path / "guide.tgz"
    package(path, {"package/package.json": manifest("4.0.1"), "package/p.json": profile()})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputInvalid, match=r"guide\.tgz"):
        read_folder(tmp_path)


def test_empty_folder_is_a_mistake(tmp_path: Path) -> None:
    """Who names a folder wants something of it."""
    with pytest.raises(InputMissing, match="put definitions"):
        read_folder(tmp_path)
    with pytest.raises(InputMissing, match="make it"):
        read_folder(tmp_path / "absent")


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a large folder nor an archive that grows is read."""
    package(tmp_path / "guide.tgz", {"package/package.json": manifest("4.0.1"), "other": bytes(100_000)})
    monkeypatch.setattr(packages, "MAX_BYTES", 50_000)
    with pytest.raises(InputInvalid, match="50000 bytes"):
        read_folder(tmp_path)
    (tmp_path / "more.json").write_bytes(b" " * 50_001)
    with pytest.raises(InputInvalid, match="50000 bytes"):
        read_folder(tmp_path)


def test_unusable_profile_is_told_at_the_start(tmp_path: Path) -> None:
    """A profile whose base is nowhere is refused by the warm-up, not with the first record."""
    (tmp_path / "a.json").write_text(json.dumps(profile(baseDefinition="https://example.org/nowhere")))
    validator = FhirValidator(profiles=read_folder(tmp_path))
    with pytest.raises(DefinitionUnusable):
        validator.warm_up(R4)
