"""The program, and what becomes of errors."""

from __future__ import annotations

import sys

from caregrid.errors import CaregridError


def main() -> None:
    """Run the program and exit with 0, with an error's own code, or with 2 for a wrong command line."""
    try:
        _run(sys.argv[1:])
    except CaregridError as fault:
        from ocw_sidecar.cli import output  # noqa: PLC0415 - what succeeds needs no terminal library

        output.error(fault, as_json="--json" in sys.argv)
        sys.exit(fault.exit_code)


def _run(words: list[str]) -> None:
    # Scripts validate file by file, so this one command starts without the libraries of the others.
    if words[:2] == ["emr", "validate"]:
        from ocw_sidecar.cli import validation  # noqa: PLC0415 - see above

        sys.exit(validation.main(words[2:]))
    from ocw_sidecar.cli.commands import app  # noqa: PLC0415 - likewise

    app()
