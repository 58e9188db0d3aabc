"""Who may use the gateway: every signature form of DeOSS, and what is refused."""

from __future__ import annotations

import base58
import pytest
import sr25519
from scalecodec.utils.ss58 import ss58_encode

from caregrid.errors import Unauthorised
from storage_network.gateway import auth

NOW = 1_800_000_000.0
FRESH = str(int(NOW) + 60)
PAIR = sr25519.pair_from_seed(b"\x01" * 32)
ACCOUNT: bytes = PAIR[0]


def _sign(message: str) -> bytes:
    signature: bytes = sr25519.sign(PAIR, message.encode())
    return signature


def _headers_of(message: str, signature: str, account: str | None = None) -> dict[str, str]:
    return {"Account": account or ss58_encode(ACCOUNT, 42), "Message": message, "Signature": signature}


def _check(headers: dict[str, str], *, require_expiry: bool = False) -> bytes:
    return auth.authenticate(headers, now=NOW, require_expiry=require_expiry)


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(_sign(FRESH).decode(errors="surrogateescape"), id="raw"),
        pytest.param("0x" + _sign(FRESH).hex(), id="0x-hex"),
        pytest.param(_sign(FRESH).hex(), id="hex"),
        pytest.param(base58.b58encode(_sign(FRESH)).decode(), id="base58"),
        pytest.param("0x" + _sign(f"<Bytes>{FRESH}</Bytes>").hex(), id="wrapped 0x-hex"),
        pytest.param(_sign(f"<Bytes>{FRESH}</Bytes>").hex(), id="wrapped hex"),
    ],
)
def test_every_signature_form_is_taken(signature: str) -> None:
    """A signature may come raw, in hex, in base58, or over polkadot.js's wrapping."""
    assert _check(_headers_of(FRESH, signature)) == ACCOUNT


@pytest.mark.parametrize("prefix", [42, 11330])
def test_generic_and_cess_addresses_are_taken(prefix: int) -> None:
    """An account may be written with the generic prefix or CESS's own."""
    headers = _headers_of(FRESH, _sign(FRESH).hex(), ss58_encode(ACCOUNT, prefix))
    assert _check(headers) == ACCOUNT


def test_signature_of_the_stock_sdk() -> None:
    """The signature that the stock SDK made with the well-known development key verifies."""
    headers = {
        "Account": "cXgaee2N8E77JJv9gdsGAckv1Qsf3hqWYf7NL4q6ZuQzuAUtB",
        "Message": "hello-cess-0001",
        "Signature": (
            "44EvGVc8Kezj3X6ERNTm6HTCXiz6Wy2gknEJWHp6nGrYdqzmJAPM5s7vtfBfLVSsDVCG29XWHzoRDN15CKojVDPX"
        ),
    }
    expected = "46ebddef8cd9bb167dc30878d7113b7e168e6f0646beffd77d69d39bad76b47a"
    assert expected == _check(headers).hex()
    assert headers["Account"] == auth.cess_address(bytes.fromhex(expected))


@pytest.mark.parametrize(
    ("message", "fresh"),
    [
        (str(int(NOW) + 1), True),
        (str(int(NOW)), False),
        (str(int(NOW) - 1), False),
        (str(int(NOW * 1000) + 1), True),
        (str(int(NOW * 1000)), False),
        ("2027-01-15 08:00:01", True),
        ("2027-01-15 07:59:59", False),
        ("12345", True),
        ("x7!k#m9@q2$w5%e8", True),
    ],
)
def test_messages_expire(message: str, *, fresh: bool) -> None:
    """Numbers in the range of Unix times, and dates, are expiry times; anything else never expires."""
    headers = _headers_of(message, _sign(message).hex())
    if fresh:
        assert _check(headers) == ACCOUNT
    else:
        with pytest.raises(Unauthorised):
            _check(headers)


@pytest.mark.parametrize("message", ["12345", "x7!k#m9@q2$w5%e8"])
def test_expiry_can_be_required(message: str) -> None:
    """A gateway that wants expiring messages refuses the others."""
    with pytest.raises(Unauthorised):
        _check(_headers_of(message, _sign(message).hex()), require_expiry=True)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"Message": str(int(NOW) + 61)}, id="another message"),
        pytest.param({"Message": ""}, id="no message"),
        pytest.param({"Signature": ""}, id="no signature"),
        pytest.param({"Signature": "0x" + "00" * 64}, id="no valid signature"),
        pytest.param({"Signature": "zz0OIl"}, id="signature in no form"),
        pytest.param({"Account": ss58_encode(b"\x02" * 32, 42)}, id="another account"),
        pytest.param({"Account": ss58_encode(b"\xff" * 32, 42)}, id="account that is no key"),
        pytest.param({"Account": ss58_encode(ACCOUNT, 0)}, id="address of another chain"),
        pytest.param({"Account": "0x" + ACCOUNT.hex()}, id="account in hex"),
        pytest.param({"Account": ""}, id="no account"),
        pytest.param({"Account": "5"}, id="cut address"),
        pytest.param({"EthAcc": "0x00"}, id="Ethereum key"),
        pytest.param(
            {"Signature": base58.b58encode(_sign(f"<Bytes>{FRESH}</Bytes>")).decode()}, id="wrapped base58"
        ),
    ],
)
def test_what_is_not_signed_is_refused(change: dict[str, str]) -> None:
    """Any departure from a signed request is refused, without saying which."""
    with pytest.raises(Unauthorised, match=r"^no permission$"):
        _check({**_headers_of(FRESH, _sign(FRESH).hex()), **change})
