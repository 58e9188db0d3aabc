"""`caregrid storage fid`: file ids as CESS computes them, without a network or a profile."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from caregrid.errors import CaregridError, InputEmpty, InputInvalid, InputMissing
from caregrid.storage.file_id import FileIdHasher

_READ_SIZE: Final = 1 << 20
_STANDARD_INPUT: Final = "-"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Identified:
    file: str
    fid: str
    size: int

    def line(self, *, as_json: bool) -> str:
        if not as_json:
            return f"{self.fid}  {self.file}"
        return json.dumps({"file": self.file, "fid": self.fid, "bytes": self.size})


def fid(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Files to read; - is standard input.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON line for each file.")] = False,
) -> None:
    """Compute the file id of each file; no network and no profile is needed.

    A file that cannot be read is told on standard error, and the others are computed all the same; the exit
    code is that of the first such error.
    """
    code = 0
    for name in files:
        try:
            print(_identify(name).line(as_json=as_json))  # noqa: T201 - the program's output
        except CaregridError as fault:
            print(_told(name, fault, as_json=as_json), file=sys.stderr)  # noqa: T201 - likewise
            code = code or fault.exit_code
    raise typer.Exit(code)


def _identify(name: str) -> _Identified:
    hasher = FileIdHasher()
    try:
        if name == _STANDARD_INPUT:
            _feed(hasher, sys.stdin.buffer)
        else:
            with Path(name).open("rb") as file:
                _feed(hasher, file)
    except FileNotFoundError as exc:
        raise InputMissing from exc
    except OSError as exc:
        raise InputInvalid(f"the file cannot be read: {exc.strerror}; check the path") from exc
    if hasher.size == 0:
        raise InputEmpty("the file is empty, and an empty file has no id")
    return _Identified(file=name, fid=hasher.finish().hex(), size=hasher.size)


def _feed(hasher: FileIdHasher, file: Any) -> None:
    while chunk := file.read(_READ_SIZE):
        hasher.update(chunk)


def _told(name: str, fault: CaregridError, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"error": fault.code, "message": str(fault), "file": name})
    return f"caregrid: {name}: {fault}"
