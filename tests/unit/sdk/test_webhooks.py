"""Receivers can tell the sidecar's webhooks from everybody else's."""

from __future__ import annotations

import json

import pytest

from caregrid.errors import InputInvalid, ProtocolViolation, WebhookRefused
from caregrid.webhooks import (
    MAX_BODY_BYTES,
    WebhookVerifier,
    decode_secret,
    encode_secret,
    new_secret,
    signed_headers,
)

#: The example of Standard Webhooks, so that any library of theirs agrees.
KNOWN_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KNOWN_BODY = b'{"test": 2432232314}'
KNOWN_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
KNOWN_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

NOW = 1_900_000_000
SECRET = new_secret()
NOTICE = {"id": "ab" * 16, "position": 1, "kind": "access_granted", "at": "2030", "facts": {}}
BODY = json.dumps({"type": "access_granted", "timestamp": "x", "data": {"notices": [NOTICE]}}).encode()


def headers(*secrets: str, message_id: str = "msg_1", at: int = NOW, body: bytes = BODY) -> dict[str, str]:
    """Return what the sidecar would send."""
    keys = [decode_secret(secret) for secret in secrets or (SECRET,)]
    return dict(signed_headers(keys, message_id=message_id, timestamp=at, body=body))


def verifier(*secrets: str) -> WebhookVerifier:
    """Return a receiver whose clock stands still."""
    return WebhookVerifier(secrets or (SECRET,), now=lambda: NOW)


def test_signature_is_that_of_standard_webhooks() -> None:
    """Any library for Standard Webhooks can check what we send."""
    signed = headers(KNOWN_SECRET, message_id=KNOWN_ID, at=1_614_265_330, body=KNOWN_BODY)
    expected = {
        "webhook-id": KNOWN_ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": KNOWN_SIGNATURE,
    }
    assert expected == signed


def test_good_message_is_read() -> None:
    """What was signed arrives as it was, whatever the case of its headers' names."""
    message = verifier().verify({name.title(): value for name, value in headers().items()}, BODY)
    assert ("msg_1", "access_granted", [NOTICE], False) == (
        message.id,
        message.type,
        message.notices,
        message.repeated,
    )


def test_second_arrival_is_marked() -> None:
    """A message that comes again, or is replayed in time, is told apart by its id."""
    receiver = verifier()
    receiver.verify(headers(), BODY)
    assert receiver.verify(headers(at=NOW + 5), BODY).repeated
    assert not receiver.verify(headers(message_id="msg_2"), BODY).repeated


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that runs for years forgets the oldest ids."""
    monkeypatch.setattr("caregrid.webhooks.MAX_REMEMBERED", 2)
    receiver = verifier()
    for number in range(3):
        receiver.verify(headers(message_id=f"msg_{number}"), BODY)
    assert not receiver.verify(headers(message_id="msg_0"), BODY).repeated
    assert receiver.verify(headers(message_id="msg_2"), BODY).repeated


@pytest.mark.parametrize("at", [NOW - 301, NOW + 301])
def test_old_and_early_messages_are_refused(at: int) -> None:
    """What was recorded is good for the tolerance only."""
    with pytest.raises(WebhookRefused, match="clock"):
        verifier().verify(headers(at=at), BODY)
    assert verifier().verify(headers(at=(at + NOW) // 2), BODY)


def test_every_changed_byte_is_refused() -> None:
    """Body, id and time are all signed."""
    receiver = verifier()
    for place in range(len(BODY)):
        altered = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        with pytest.raises(WebhookRefused):
            receiver.verify(headers(), altered)
    for change in ({"webhook-id": "msg_2"}, {"webhook-timestamp": str(NOW + 1)}):
        with pytest.raises(WebhookRefused):
            receiver.verify(headers() | change, BODY)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": "garbage"},
        {"webhook-id": ""},
        {"webhook-timestamp": "soon"},
    ],
)
def test_malformed_headers_are_refused(change: dict[str, str]) -> None:
    """Nothing but a signature opens."""
    with pytest.raises(WebhookRefused):
        verifier().verify(headers() | change, BODY)
    with pytest.raises(WebhookRefused):
        verifier().verify({}, BODY)


def test_other_versions_of_a_signature_do_not_count() -> None:
    """The right HMAC under another name is no signature."""
    signed = headers()
    signed["webhook-signature"] = signed["webhook-signature"].replace("v1,", "v2,")
    with pytest.raises(WebhookRefused):
        verifier().verify(signed, BODY)


def test_secrets_change_over_without_a_loss() -> None:
    """While two secrets are good, sender and receiver may change in either order."""
    old, new = new_secret(), new_secret()
    for sender, receiver in (((old, new), (old,)), ((old, new), (new,)), ((old,), (old, new))):
        assert verifier(*receiver).verify(headers(*sender), BODY)
    with pytest.raises(WebhookRefused):
        verifier(new).verify(headers(old), BODY)


def test_body_is_bounded_and_in_form() -> None:
    """Even whoever has the secret cannot make a receiver parse what is no message."""
    large = b" " * (MAX_BODY_BYTES + 1)
    with pytest.raises(WebhookRefused):
        verifier().verify(headers(body=large), large)
    for body in (b"", b"[]", b"{}", b'{"type": "x", "data": []}', b"[" * 100_000):
        with pytest.raises(ProtocolViolation):
            verifier().verify(headers(body=body), body)


def test_secrets_are_checked() -> None:
    """A secret is long enough, and there are one or two."""
    assert decode_secret(SECRET) == decode_secret(encode_secret(decode_secret(SECRET)))
    for bad in ("", "whsec_", "whsec_!!!!", encode_secret(b"x" * 23), encode_secret(b"x" * 65)):
        with pytest.raises(InputInvalid):
            decode_secret(bad)
    for many in ([], [SECRET] * 3):
        with pytest.raises(InputInvalid):
            WebhookVerifier(many)
