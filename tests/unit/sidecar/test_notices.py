"""What a notice may hold, who is told of which event, and what a message shows."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from caregrid.chain.port import BlockRef, Event, FinalizedBlock
from caregrid.errors import InputInvalid
from caregrid.webhooks import new_secret
from ocw_sidecar.notifications.events import SILENT, TOLD, acquainted_by, notices_of
from ocw_sidecar.notifications.feed import Posted
from ocw_sidecar.notifications.items import FACTS, Notice, NoticeKind, notice
from ocw_sidecar.notifications.messages import TITLES, message_of
from ocw_sidecar.notifications.parsing import choice_of, choices_of
from ocw_sidecar.notifications.targets import Target

PAGE = Path(__file__).resolve().parents[3] / "docs/reference/chain.md"
T0 = datetime(2030, 1, 1, tzinfo=UTC)
ORGANISATION, CONTROLLER, READER, MEMBER = (bytes([number]) * 32 for number in range(1, 5))
PATIENT, RECORD = b"p" * 32, b"r" * 16
SCOPE = {"scope": {"Record": RECORD}, "patient": PATIENT, "custodian": ORGANISATION}


def block(name: str, fields: dict[str, Any], *, pallet: str = "Emr") -> FinalizedBlock:
    """Return a block with one event."""
    event = Event(pallet=pallet, name=name, fields=fields)
    return FinalizedBlock(ref=BlockRef(number=7, hash=b"h" * 32), events=[event])


def told(name: str, **fields: Any) -> list[tuple[NoticeKind, bytes]]:
    """Return who is told what of an event."""
    found = notices_of(block(name, fields), ORGANISATION, T0)
    return [(each.kind, each.recipient) for each in found]


def test_every_event_of_the_pallet_is_told_or_named_silent() -> None:
    """A new event cannot be overlooked: somebody decides who is told of it."""
    # Another test holds the page against the metadata of a real node.
    events = re.findall(r"^\| \d+ \| `Emr\.(\w+)` \| `?\w+: ", PAGE.read_text(), re.MULTILINE)
    events = [name for name in events if name[0].isupper()]
    assert len(events) > 20
    assert set(events) == TOLD.keys() | SILENT.keys()
    assert not TOLD.keys() & SILENT.keys()


def test_request_is_told_to_whoever_decides_and_the_custodian() -> None:
    """The controller decides; the custodian's staff are asked when nothing happens."""
    fields = {"record": RECORD, "requester": READER, "purpose": "Treatment", "expires_at": 99}
    fields |= {"patient": PATIENT, "controller": CONTROLLER, "custodian": ORGANISATION}
    kind = NoticeKind.ACCESS_REQUESTED
    assert [(kind, CONTROLLER), (kind, ORGANISATION)] == told("AccessRequested", **fields)
    unclaimed = fields | {"controller": ORGANISATION}
    assert [(kind, ORGANISATION)] == told("AccessRequested", **unclaimed)


@pytest.mark.parametrize(
    ("name", "fields", "kind"),
    [
        ("RequestDenied", {"record": RECORD, "requester": READER}, NoticeKind.ACCESS_DENIED),
        ("AccessGranted", {"grantee": READER, "expires_at": 9, **SCOPE}, NoticeKind.ACCESS_GRANTED),
        ("AccessRevoked", {"grantee": READER, **SCOPE}, NoticeKind.ACCESS_REVOKED),
        ("AccessExpired", {"grantee": READER, "expires_at": 9, **SCOPE}, NoticeKind.ACCESS_EXPIRED),
    ],
)
def test_reader_is_told_of_his_access(name: str, fields: dict[str, Any], kind: NoticeKind) -> None:
    """Whoever asked for access, or has it, learns what became of it."""
    assert [(kind, READER)] == told(name, **{"custodian": ORGANISATION} | fields)


def test_emergency_is_told_to_controller_and_custodian() -> None:
    """Breaking the glass is never silent, and does not say why."""
    fields = {"member": MEMBER, "reason": "PatientUnresponsive", "expires_at": 9, **SCOPE}
    found = notices_of(block("EmergencyAccessOpened", fields | {"controller": CONTROLLER}), ORGANISATION, T0)
    assert [CONTROLLER, ORGANISATION] == [each.recipient for each in found]
    expected = {
        "record": RECORD.hex(),
        "patient": PATIENT.hex(),
        "member": MEMBER.hex(),
        "expires_at": 9,
        "block": 7,
    }
    assert expected == found[0].facts


def test_scope_of_a_patient_is_the_patient() -> None:
    """A grant on all of a patient's records names him, and no record."""
    fields = {"grantee": READER, "scope": {"Patient": PATIENT}, "custodian": ORGANISATION, "purpose": "X"}
    (one,) = notices_of(block("AccessGranted", fields), ORGANISATION, T0)
    assert {"grantee": READER.hex(), "patient": PATIENT.hex(), "block": 7} == one.facts


def test_others_records_and_pallets_are_not_ours_to_tell() -> None:
    """Each custodian tells of his own records."""
    assert [] == told("RequestDenied", record=RECORD, requester=READER, custodian=READER)
    assert [] == told("AccessExpired", scope={"Record": RECORD}, grantee=READER)  # of an older runtime
    foreign = block("RequestDenied", {"custodian": ORGANISATION}, pallet="Threats")
    assert [] == notices_of(foreign, ORGANISATION, T0)


def test_whoever_becomes_controller_is_known() -> None:
    """A patient may choose channels before the first emergency; strangers may not fill the database."""
    fields = {"patient": PATIENT, "organisation": ORGANISATION, "controller": CONTROLLER}
    for name in ("PatientRegistered", "PatientClaimed"):
        assert {CONTROLLER} == acquainted_by(block(name, fields), ORGANISATION)
        assert set() == acquainted_by(block(name, fields), READER)
        assert set() == acquainted_by(block(name, fields, pallet="Threats"), ORGANISATION)
    assert set() == acquainted_by(block("PatientOffered", fields), ORGANISATION)


def test_same_event_in_another_block_is_another_notice() -> None:
    """Being granted, revoked and granted again is told three times; the same block, once."""
    fields = {"grantee": READER, "expires_at": 9, **SCOPE}
    first = block("AccessGranted", fields)
    later = FinalizedBlock(ref=BlockRef(number=8, hash=b"i" * 32), events=first.events)
    keys = [notices_of(each, ORGANISATION, T0)[0].key for each in (first, first, later)]
    assert (keys[0], True) == (keys[1], keys[1] != keys[2])


@pytest.mark.parametrize(
    "facts",
    [
        {"name": "Jane Doe"},
        {"code": "Jane Doe"},
        {"record": "Jane Doe"},
        {"record": b"r"},
        {"block": "7"},
        {"block": True},
        {"code": "x" * 81},
        {"purpose": "Treatment"},
        {"reason": "PatientUnresponsive"},
    ],
)
def test_notice_takes_only_listed_facts_as_listed(facts: dict[str, Any]) -> None:
    """Content and names have no way in, and a refusal does not repeat them."""
    with pytest.raises(ValueError, match=r"a notice|the fact") as refused:
        notice(NoticeKind.RECORD_FAILED, READER, T0, **facts)
    assert "Jane" not in str(refused.value)


def test_notice_is_whole() -> None:
    """Accounts have 32 bytes, times have zones, and facts are few."""
    with pytest.raises(ValueError, match="32 bytes"):
        notice(NoticeKind.RECORD_FAILED, READER[:31], T0)
    with pytest.raises(ValueError, match="zone"):
        notice(NoticeKind.RECORD_FAILED, READER, T0.replace(tzinfo=None))
    many = {name: 1 for name, shape in FACTS.items() if shape is int} | dict.fromkeys(
        ("grantee", "requester", "member", "custodian", "controller"), READER.hex()
    )
    with pytest.raises(ValueError, match="at most"):
        Notice(key=b"k" * 32, kind=NoticeKind.RECORD_FAILED, recipient=READER, facts=many, at=T0)


def posted(kind: NoticeKind = NoticeKind.ACCESS_GRANTED, position: int = 1) -> Posted:
    """Return a kept notice."""
    told_ = notice(kind, READER, T0, record=RECORD.hex(), grantee=READER.hex(), block=position)
    return Posted(position=position, id=bytes([position]) * 16, notice=told_)


def test_outline_holds_no_id_of_the_chain() -> None:
    """Who carries a mail cannot link its address to an account, a record or a notice's public key."""
    message = message_of([posted(), posted(NoticeKind.EMERGENCY_ACCESS, 2), posted(position=3)])
    outline = message.outline()
    text = outline.title + outline.body
    secrets_ = [RECORD.hex(), READER.hex(), posted().notice.key.hex()]
    assert [] == [each for each in secrets_ if each in text or each[:16] in text]
    assert "3 notices" in outline.title
    assert "2 x Access was granted to you" in outline.body
    assert message.id in outline.body


def test_every_kind_has_a_title() -> None:
    """A message says in words what happened."""
    assert set(NoticeKind) == TITLES.keys()
    assert (
        "CareGrid: Emergency access was opened"
        == message_of([posted(NoticeKind.EMERGENCY_ACCESS)]).outline().title
    )


def test_message_id_comes_from_what_is_sent() -> None:
    """The same notices are the same message, in any order; others are another."""
    one, two = posted(position=1), posted(position=2)
    assert f"msg_{one.id.hex()}" == message_of([one]).id
    assert message_of([one, two]).id == message_of([two, one]).id
    assert message_of([one, two]).id != message_of([one, posted(position=3)]).id


def test_details_are_the_notice_as_the_feed_has_it() -> None:
    """A webhook's receiver and a feed's reader see the same."""
    details = message_of([posted()]).details(T0 + timedelta(seconds=1))
    assert ("access_granted", "2030-01-01T00:00:01.000+00:00") == (details["type"], details["timestamp"])
    assert [posted().described()] == details["data"]["notices"]


def test_choice_is_read() -> None:
    """A channel is given as JSON; what cannot be switched off is not."""
    secret = new_secret()
    choice = choice_of(
        {
            "type": "webhook",
            "url": "https://example.org/x",
            "secrets": [secret],
            "kinds": ["access_granted"],
            "digest_at": "07:30",
        }
    )
    assert 450 == choice.digest_minute
    assert {NoticeKind.ACCESS_GRANTED, NoticeKind.EMERGENCY_ACCESS} == choice.wanted
    assert choice.target == Target.from_bytes(choice.target.to_bytes())
    assert secret not in repr(choice)
    assert "example.org" not in repr(choice)


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"type": "pigeon", "url": "https://example.org"},
        {"type": ["apprise"], "url": "https://example.org"},
        {"type": "apprise"},
        {"type": "apprise", "url": 5},
        {"type": "apprise", "url": "no url"},
        {"type": "apprise", "url": "mailtos://" + "x" * 1024},
        {"type": "apprise", "url": "mailtos://a", "secrets": [new_secret()]},
        {"type": "apprise", "url": "mailtos://a", "surprise": 1},
        {"type": "apprise", "url": "mailtos://a", "kinds": ["everything"]},
        {"type": "apprise", "url": "mailtos://a", "kinds": "access_granted"},
        {"type": "apprise", "url": "mailtos://a", "digest_at": "24:00"},
        {"type": "apprise", "url": "mailtos://a", "digest_at": 7},
        {"type": "webhook", "url": "https://example.org"},
        {"type": "webhook", "url": "https://example.org", "secrets": ["whsec_c2hvcnQ="]},
        {"type": "webhook", "url": "https://example.org", "secrets": [new_secret() for _ in range(3)]},
    ],
)
def test_bad_choice_is_refused_without_quoting_it(value: Any) -> None:
    """What is wrong is said in our own words: it may hold a token."""
    with pytest.raises(InputInvalid) as refused:
        choice_of(value)
    assert "example" not in str(refused.value)


@pytest.mark.parametrize("value", [None, {}, [{"type": "apprise", "url": "mailtos://a"}] * 9])
def test_channels_are_a_short_list(value: Any) -> None:
    """A recipient has a few channels."""
    with pytest.raises(InputInvalid):
        choices_of(value)
