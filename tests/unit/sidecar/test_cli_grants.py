"""What the commands on access are told: a record or a patient, and an account."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from caregrid.chain import PatientScope, RecordScope
from caregrid.errors import CaregridError, InputInvalid
from caregrid.keys import encode_account
from ocw_sidecar.cli.commands import app
from ocw_sidecar.cli.grants_places import scope_and_account, scope_of

RECORD, PATIENT, ACCOUNT = "0a" * 16, "0b" * 32, bytes([12]) * 32
SPELLED = encode_account(ACCOUNT)


def test_a_record_and_an_account_or_a_patient_and_an_account() -> None:
    """The account comes last."""
    record, patient = RecordScope(record_id=bytes.fromhex(RECORD)), PatientScope(patient_id=b"\x0b" * 32)
    assert (record, ACCOUNT) == scope_and_account([RECORD, SPELLED], None)
    assert (patient, ACCOUNT) == scope_and_account(["0x" + ACCOUNT.hex()], PATIENT)
    assert record == scope_of(RECORD, None)
    assert patient == scope_of(None, PATIENT)


@pytest.mark.parametrize(
    ("words", "patient"),
    [
        ([], None),
        ([RECORD], None),
        ([RECORD, SPELLED], PATIENT),
        ([RECORD, SPELLED, SPELLED], None),
        ([], PATIENT),
        (["0a", SPELLED], None),
        ([RECORD, "nobody"], None),
        ([SPELLED], "0b"),
    ],
)
def test_anything_else_is_refused(words: list[str], patient: str | None) -> None:
    """Too much, too little, and what is no id."""
    with pytest.raises(InputInvalid):
        scope_and_account(words, patient)


@pytest.mark.parametrize(("record", "patient"), [(None, None), (RECORD, PATIENT), ("xx", None), (None, "0b")])
def test_a_listing_is_of_one_thing(record: str | None, patient: str | None) -> None:
    """Not of two, and not of none."""
    with pytest.raises(InputInvalid):
        scope_of(record, patient)


@pytest.mark.parametrize(
    "words",
    [
        ["add", RECORD, SPELLED, "--inline", "--pending"],
        ["add", RECORD],
        ["requests"],
        ["emergency", "--reason", "ThreatToLife"],
        ["deny", "zz", SPELLED],
        ["releases", "zz"],
    ],
)
def test_commands_refuse_before_they_reach_out(words: list[str]) -> None:
    """There is no profile here, and none is missed."""
    answer = CliRunner().invoke(app, ["grants", *words, "--profile", "/nowhere/profile.toml"])
    assert isinstance(answer.exception, InputInvalid)


def test_a_profile_that_is_not_there_is_named() -> None:
    """Once all words are good."""
    answer = CliRunner().invoke(app, ["grants", "list", RECORD, "--profile", "/nowhere/profile.toml"])
    assert isinstance(answer.exception, CaregridError)
    assert "CONFIG_INVALID" == answer.exception.code
