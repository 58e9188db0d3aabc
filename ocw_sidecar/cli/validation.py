"""`caregrid emr validate`: judges files, without a chain, a sidecar or a network."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from caregrid.fhir import FhirValidator, Profiles, format_of_version
from caregrid.fhir.port import VERSIONS
from ocw_sidecar.cli import judging

if TYPE_CHECKING:
    from collections.abc import Sequence

_PATHS: Final = "-"


def main(words: Sequence[str]) -> int:
    """Judge the files of a command line; return 0 if all are valid, 1 if one is not.

    Raises:
        SystemExit: the command line is wrong, with code 2, or asks for help.
        DefinitionUnusable: a profile is none.
    """
    parser = _parser()
    asked = parser.parse_args(words)
    if _PATHS in asked.files and len(asked.files) > 1:
        parser.error("- stands alone: the paths come from standard input")
    profiles = Profiles.read(asked.profile)
    validator, record_format = FhirValidator(profiles=profiles, enforce=True), format_of_version(asked.fhir)
    validator.warm_up(record_format)
    judge = judging.Judge(validator, record_format)
    from_input = asked.files == [_PATHS]
    paths = judging.paths_from(sys.stdin.buffer) if from_input else asked.files
    in_words = judging.print_word if from_input else judging.print_report
    show = judging.print_outcome if asked.json else in_words
    # All of them, so no `all(...)` over a generator, which would stop at the first.
    verdicts = {show(judge, path) for path in paths}
    return int(False in verdicts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="caregrid emr validate",
        description="Judge files against HL7's definitions of FHIR. "
        "Exit with 0 if all are valid, 1 if one is not, 2 if the command line is wrong.",
    )
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="a FHIR resource or Bundle in JSON, or NDJSON (*.ndjson, one resource a line); - alone reads "
        "paths from standard input, and prints PATH<TAB>valid or PATH<TAB>invalid for each at once",
    )
    parser.add_argument(
        "--fhir",
        choices=list(VERSIONS.values()),
        default="4.0",
        help="FHIR version: 4.0 is R4, 4.3 is R4B, 5.0 is R5 (default: 4.0)",
    )
    parser.add_argument(
        "--profile",
        metavar="FILE",
        type=_profile,
        action="append",
        default=[],
        help="a StructureDefinition, ValueSet or CodeSystem, or a Bundle of them; resources of the kind that "
        "a profile is for must follow it; may be given more than once",
    )
    parser.add_argument(
        "--json", action="store_true", help="print an OperationOutcome for each file, one a line"
    )
    return parser


def _profile(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return path
