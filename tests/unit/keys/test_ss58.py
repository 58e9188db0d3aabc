"""Accounts as text."""

from __future__ import annotations

import contextlib
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.errors import InputInvalid
from caregrid.keys import decode_account, encode_account

ALICE: Final = bytes.fromhex("d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d")
ALICE_TEXT: Final = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"


def test_the_known_account_has_its_known_address() -> None:
    """Alice's address is the one every Substrate tool prints."""
    assert encode_account(ALICE) == ALICE_TEXT
    assert decode_account(ALICE_TEXT) == ALICE
    assert encode_account(ALICE, 0) == "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5"


def test_hex_is_taken_too() -> None:
    """0x and 64 digits, with white space around from copying, are an account."""
    assert decode_account("0x" + ALICE.hex()) == ALICE
    assert decode_account(f" {ALICE_TEXT}\n") == ALICE


@given(account=st.binary(min_size=32, max_size=32), prefix=st.integers(0, 16_383))
def test_every_account_comes_back(account: bytes, prefix: int) -> None:
    """Any account under any prefix reads back as itself."""
    if prefix in {46, 47}:
        with pytest.raises(InputInvalid, match="prefix"):
            encode_account(account, prefix)
    else:
        assert account == decode_account(encode_account(account, prefix))


@given(position=st.integers(0, len(ALICE_TEXT) - 1), letter=st.sampled_from("123456789ABCDEFabcdef0OIl"))
def test_a_typing_error_is_refused(position: int, letter: str) -> None:
    """One wrong letter anywhere in an address is noticed."""
    wrong = ALICE_TEXT[:position] + letter + ALICE_TEXT[position + 1 :]
    if wrong != ALICE_TEXT:
        with pytest.raises(InputInvalid, match="SS58"):
            decode_account(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "0x12",
        "0x" + "zz" * 32,
        ALICE.hex(),
        "F7Hs",
        "z",
        "27",
        "0x" + ALICE.hex(" "),
        "é" * 48,
        "5" * 100_000,
        ALICE_TEXT[:-1],
    ],
)
def test_what_is_no_account_is_refused(text: str) -> None:
    """Account indexes, half hex and overlong text all get the advice what to pass."""
    with pytest.raises(InputInvalid, match="pass an SS58 address"):
        decode_account(text)


@given(text=st.text(max_size=80))
def test_nothing_else_can_happen(text: str) -> None:
    """Arbitrary text is an account or an input error."""
    with contextlib.suppress(InputInvalid):
        assert len(decode_account(text)) == 32


def test_only_32_bytes_are_an_account() -> None:
    """Account indexes and 33-byte keys have no place here."""
    with pytest.raises(InputInvalid, match="32 bytes"):
        encode_account(bytes(33))
