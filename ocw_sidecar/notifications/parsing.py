"""Reads what a recipient, or the operator, wants of a channel; unknown fields are refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import InputInvalid
from caregrid.webhooks import decode_secret
from ocw_sidecar.notifications.items import BY_DEFAULT, NoticeKind
from ocw_sidecar.notifications.preferences import MAX_CHANNELS, Choice
from ocw_sidecar.notifications.targets import Target, TargetType

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIELDS: Final = frozenset({"type", "url", "secrets", "kinds", "digest_at"})
_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


def choices_of(value: Any) -> list[Choice]:
    """Read a list of channels.

    Raises:
        InputInvalid: it is none; the message quotes nothing of it.
    """
    if not isinstance(value, list) or len(value) > MAX_CHANNELS:
        raise InputInvalid(f"`channels` is a list of at most {MAX_CHANNELS}")
    return [choice_of(each) for each in value]


def choice_of(value: Any) -> Choice:
    """Read one channel: `type` and `url`, a webhook's `secrets`, perhaps `kinds` and `digest_at`.

    Raises:
        InputInvalid: it is none; the message quotes nothing of it.
    """
    if not isinstance(value, dict) or not value.keys() <= _FIELDS:
        raise InputInvalid(f"a channel is an object with {', '.join(sorted(_FIELDS))}, and nothing else")
    return Choice(
        target=_target(value),
        kinds=_kinds(value.get("kinds")),
        digest_minute=_minute(value.get("digest_at")),
    )


def _target(value: Mapping[str, Any]) -> Target:
    kind, url, secrets = value.get("type"), value.get("url"), value.get("secrets", [])
    if not isinstance(kind, str) or kind not in list(TargetType):
        raise InputInvalid(f"a channel's type is one of {', '.join(TargetType)}")
    if not isinstance(url, str):
        raise InputInvalid("a channel has a url")
    return Target(type=TargetType(kind), url=url, secrets=tuple(decode_secret(s) for s in _texts(secrets)))


def _kinds(value: Any) -> frozenset[NoticeKind]:
    if value is None:
        return BY_DEFAULT
    texts = _texts(value)
    if not set(texts) <= set(NoticeKind):
        raise InputInvalid(f"kinds are of {', '.join(NoticeKind)}")
    return frozenset(NoticeKind(text) for text in texts)


def _minute(value: Any) -> int | None:
    if value is None:
        return None
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise InputInvalid("digest_at is a time of day in UTC, like 07:30")
    return 60 * int(found[1]) + int(found[2])


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise InputInvalid("secrets and kinds are lists of texts")
    return value
