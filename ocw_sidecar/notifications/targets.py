"""Where a channel leads. This identifies people and holds their tokens, so it is never shown or logged."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from caregrid.errors import InputInvalid
from caregrid.webhooks import MAX_SECRETS, decode_secret, encode_secret

MAX_URL_CHARS: Final = 1024

_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://[\x21-\x7e]+", re.IGNORECASE)


class Origin(StrEnum):
    """Who set a channel up."""

    OWN = "own"  #: the recipient, over the API
    SETTINGS = "settings"  #: the operator, for the organisation


class TargetType(StrEnum):
    """The ways there are."""

    APPRISE = "apprise"  #: mail, chat, SMS and so on: a third party carries it
    WEBHOOK = "webhook"  #: signed JSON to an address of the recipient's own


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One address with what is needed to reach it."""

    type: TargetType
    url: str = field(repr=False)
    secrets: tuple[bytes, ...] = field(default=(), repr=False)  #: webhooks are signed with each of them

    def __post_init__(self) -> None:
        if len(self.url) > MAX_URL_CHARS or _URL.fullmatch(self.url) is None:
            raise InputInvalid(f"a channel's url is a URL of at most {MAX_URL_CHARS} ASCII characters")
        wanted = range(1, MAX_SECRETS + 1) if self.type is TargetType.WEBHOOK else (0,)
        if len(self.secrets) not in wanted:
            raise InputInvalid(f"a webhook has 1 to {MAX_SECRETS} secrets, other channels have none")

    @property
    def scheme(self) -> str:
        """What stands before the colon, in small letters."""
        return self.url.partition(":")[0].lower()

    def to_bytes(self) -> bytes:
        """Return what is sealed."""
        secrets = [encode_secret(secret) for secret in self.secrets]
        return json.dumps({"type": self.type, "url": self.url, "secrets": secrets}).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what was sealed."""
        value: dict[str, Any] = json.loads(data)
        secrets = tuple(decode_secret(secret) for secret in value["secrets"])
        return cls(type=TargetType(value["type"]), url=value["url"], secrets=secrets)
