"""The chain's refusals have classes of their own, found by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from caregrid import errors
from caregrid.chain import Event, refusals, rejections
from caregrid.chain.refusals import emr, pool, threats

PAGE = Path(__file__).resolve().parents[3] / "docs/reference/errors.md"
KINDS = (refusals.EmrRefusal, refusals.ThreatsRefusal, pool.PoolRefusal)


def test_the_page_lists_every_refusal() -> None:
    """`docs/reference/errors.md` has a row for each, in the order of the source, and no other."""
    _, _, table = PAGE.read_text().partition("## Refusals of the chain")
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    expected = [
        f"| `{kind.PALLET}.{kind.__name__}` | `{kind.code}` | {' '.join((kind.__doc__ or '').split())} |"
        for base in KINDS
        for kind in base.__subclasses__()
    ]
    assert expected == rows


@pytest.mark.parametrize(
    ("refusal", "general"),
    [
        (emr.RecordUnknown, errors.RecordUnknown),
        (emr.RecordErased, errors.RecordErased),
        (emr.PatientUnknown, errors.PatientUnknown),
        (emr.GrantUnknown, errors.NoGrant),
        (emr.GrantExpired, errors.GrantExpired),
        (emr.NoEncryptionKey, errors.NoEncryptionKey),
    ],
)
def test_some_mean_the_same_as_a_general_error(
    refusal: type[refusals.Refusal], general: type[errors.CaregridError]
) -> None:
    """Who catches the general error need not know that the chain said so; code and exit code are the same."""
    raised = refusal()
    assert isinstance(raised, general)
    assert isinstance(raised, errors.CallRejected)
    assert (general.code, general.exit_code) == (raised.code, raised.exit_code)


def test_all_others_share_a_code() -> None:
    """A script that only wants to know that the chain refused needs one number."""
    others = [
        kind for base in KINDS for kind in base.__subclasses__() if not issubclass(kind, errors.NotFound)
    ]
    plain = [kind for kind in others if not issubclass(kind, errors.AccessRefused)]
    assert len(plain) > 30
    assert {("CALL_REJECTED", 22)} == {(kind.code, kind.exit_code) for kind in plain}


def test_the_message_says_who_refused_and_why() -> None:
    """Pallet, name, and the pallet's own words; the facts are there for programs."""
    raised = emr.ExpiryTooFar()
    assert str(raised).startswith("the chain refused the call: Emr.ExpiryTooFar: It would live too long;")
    assert "within `MaxRequestDuration`." in str(raised)
    assert {"pallet": "Emr", "name": "ExpiryTooFar"} == raised.facts()
    assert "Threats.ExpiryTooFar" in str(threats.ExpiryTooFar())


def test_found_by_name() -> None:
    """A name without a class is refused all the same, with the chain's own words."""
    assert type(refusals.refusal("Emr", "NotOperator")) is emr.NotOperator
    assert type(refusals.refusal("Threats", "ExpiryInPast")) is threats.ExpiryInPast
    newer = refusals.refusal("Emr", "FullMoon", "wait for a better night")
    assert type(newer) is errors.CallRejected
    assert str(newer).endswith("Emr.FullMoon: wait for a better night")


def test_items_of_a_batch() -> None:
    """A reason in an event becomes the exception that a single call would have met."""
    fields = {"record": bytes(16), "object": bytes(32), "reason": "RecordErased"}
    rejected = Event(pallet="Emr", name="RecordRejected", fields=fields)
    assert type(refusals.of_item(rejected)) is emr.RecordErased
    stored = Event(pallet="Emr", name="RecordStored", fields={"record": bytes(16)})
    assert refusals.of_item(stored) is None


@pytest.mark.parametrize(
    ("code", "text", "kind", "anew"),
    [
        (1010, "Invalid Transaction: Inability to pay some fees", pool.FeeUnpayable, False),
        (1010, "Invalid Transaction: Transaction has a bad signature", pool.BadSignature, True),
        (1010, "Invalid Transaction: Transaction is outdated", pool.NonceTaken, True),
        (1010, "Invalid Transaction: Transaction has an ancient birth block", pool.EraEnded, True),
        (1014, "Priority is too low", pool.NonceTaken, True),
        (1002, "Verification Error: Runtime error", pool.Undecodable, False),
        (1001, "Extrinsic has invalid format", pool.Undecodable, False),
        (1016, "Immediately dropped", errors.CallRejected, False),
    ],
)
def test_refusals_of_the_pool(
    code: int,
    text: str,
    kind: type[errors.CallRejected],
    *,
    anew: bool,
) -> None:
    """By code, and where one code means many things, by the node's words; old signatures are made anew."""
    assert type(rejections.pool_refusal(code, text)) is kind
    assert anew == rejections.may_be_signed_anew(code, text)
