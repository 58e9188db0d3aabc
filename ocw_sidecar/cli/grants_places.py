"""What a command on access is about: a record or a patient, and an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caregrid.chain.port import PatientScope, RecordScope
from caregrid.errors import InputInvalid
from caregrid.keys import encode_account
from ocw_sidecar.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.chain.port import Receipt, Scope

#: `[RECORD] ACCOUNT`, by `scope_and_account`.
Words = Annotated[
    list[str],
    typer.Argument(metavar="[RECORD] ACCOUNT", help="Whose access to what; no record with --patient."),
]
MaybeRecord = Annotated[str | None, typer.Argument(metavar="[RECORD]", help="A record's id: 32 hex digits.")]
PatientOption = Annotated[
    str | None,
    typer.Option("--patient", help="All records of this patient, later ones too: 64 hex digits."),
]
Blocks = Annotated[int, typer.Option(help="How long, in blocks of 2 seconds.")]

_RECORD_AND_ACCOUNT: Final = 2


def scope_and_account(words: Sequence[str], patient: str | None) -> tuple[Scope, bytes]:
    """Return what a grant is on, and whose it is.

    Raises:
        InputInvalid: too much is named, or too little.
    """
    if len(words) != _RECORD_AND_ACCOUNT - (patient is not None):
        raise InputInvalid("name a record and an account; or --patient, and only an account")
    return scope_of(None if patient is not None else words[0], patient), options.account(words[-1])


def scope_of(record: str | None, patient: str | None) -> Scope:
    """Return what a command is about.

    Raises:
        InputInvalid: both are named, or none, or one is no id.
    """
    if (record is None) == (patient is None):
        raise InputInvalid("name either a record or --patient")
    if record is not None:
        return RecordScope(record_id=options.record_id(record))
    return PatientScope(patient_id=options.patient_id(str(patient)))


def described(scope: Scope) -> dict[str, str]:
    """Return a scope as it is printed."""
    if isinstance(scope, RecordScope):
        return {"record": scope.record_id.hex()}
    return {"patient": scope.patient_id.hex()}


def done(scope: Scope, account: bytes, receipt: Receipt, **more: Any) -> dict[str, Any]:
    """Return what a command has done, as it is printed."""
    about = {**described(scope), "account": encode_account(account), "block": receipt.block.number}
    return {**about, **more}
