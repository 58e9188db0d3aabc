"""The packages that definitions come from, pinned by hash, fetched by their registries' own clients."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """One archive."""

    name: str  #: as its registry knows it
    version: str
    sha256: str
    license: str = "CC0-1.0"

    @property
    def is_maven(self) -> bool:
        """It comes from Maven Central; others from npm."""
        return ":" in self.name

    @property
    def file_name(self) -> str:
        """The archive's."""
        return f"{self.name.rsplit(':', 1)[-1]}-{self.version}.{'jar' if self.is_maven else 'tgz'}"

    def note(self) -> dict[str, str]:
        """Return what the compiled file says of its source."""
        return {
            "package": self.name,
            "version": self.version,
            "license": self.license,
            "sha256": self.sha256,
        }


# The core package of R4 is not on npm. The files inside this archive are HL7's own.
R4: Final = Package(
    name="ca.uhn.hapi.fhir:hapi-fhir-validation-resources-r4",
    version="7.6.0",
    sha256="b6dd7cd2417f6dc7844ad78fbe03e80a3c0be2418e26feddf58ee928765f88a3",
)
R4B: Final = Package(
    name="hl7.fhir.r4b.core",
    version="4.3.0",
    sha256="2abd390aa5ad25eb269eb46dad45380db2fa7ba653e39926b75973475c3bc4ce",
)
R5: Final = Package(
    name="hl7.fhir.r5.core",
    version="5.0.0",
    sha256="09f22107bef64313545a50d2c127d20f81173c499a395672fae089bc23e72fab",
)
TERMINOLOGY: Final = Package(
    name="hl7.terminology.r4",
    version="7.0.1",
    sha256="170c546f761fb51b3355788ca500206f6b772b21c57348c29205de85a6612baa",
)
# Extensions moved out of the core with R5. This archive holds those of R5's time, as HL7 packed them.
R5_EXTENSIONS_THEN: Final = Package(
    name="ca.uhn.hapi.fhir:hapi-fhir-validation-resources-r5",
    version="7.6.0",
    sha256="57b18f3fd1aa601fd80bc396bec701cf10012421309ab7fdf67c47f0be5c293c",
)
# And these are today's; npm has no other release of them.
EXTENSIONS_R4: Final = Package(
    name="hl7.fhir.uv.extensions.r4",
    version="5.3.0-ballot-tc1",
    sha256="54f70616bbd444ba0259d5fc5a5c978d463971865f23dcef3103081f529ad213",
)
EXTENSIONS_R5: Final = Package(
    name="hl7.fhir.uv.extensions.r5",
    version="5.3.0-ballot-tc1",
    sha256="33a55f290663f3f9d61c9dbdeb0be6ef10d0e64b54af539d1d557585c8f9e1c2",
)
# Of this only the list of currencies is used, which HL7 does not enumerate elsewhere.
EXPANSIONS: Final = Package(
    name="hl7.fhir.r4.expansions",
    version="4.0.1",
    sha256="18b2b00a6e26328bdbe4b2e273de5be32dfce21be37e0f582d18882bbce24e69",
)


def fetch(package: Package, folder: Path) -> Path:
    """Return the package's archive, fetched if the folder lacks it; stop if it is not the pinned one."""
    target = folder / package.file_name
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _download(package, folder)
    found = hashlib.sha256(target.read_bytes()).hexdigest()
    if found != package.sha256:
        sys.exit(f"{target} has the hash {found}, not the pinned one; remove it and try again")
    return target


def _download(package: Package, folder: Path) -> None:
    if package.is_maven:
        artifact = f"-Dartifact={package.name}:{package.version}"
        _run("mvn", "--batch-mode", "--quiet", "dependency:copy", artifact, f"-DoutputDirectory={folder}")
    else:
        _run(
            "npm", "pack", "--silent", f"{package.name}@{package.version}", "--pack-destination", str(folder)
        )


def _run(program: str, *arguments: str) -> None:
    found = shutil.which(program)
    if found is None:
        sys.exit(f"{program} is needed and not installed")
    command = [found, *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - pinned packages
