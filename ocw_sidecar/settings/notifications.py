"""Settings of notifications."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr

from ocw_sidecar.settings.part import Part

#: Services that carry mail, chat and SMS over TLS and read no file of this machine; an operator may add more.
APPRISE_SCHEMES: Final = frozenset({"discord", "mailtos", "ntfys", "slack", "tgram", "twilio"})

DAY_S: Final = 86_400.0


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class OrganisationChannel(Part):
    """One channel of the organisation's own; its addresses may be private ones."""

    type: Literal["apprise", "webhook"]
    url: SecretStr
    secrets: tuple[SecretStr, ...] = ()  #: a webhook's, `whsec_...`: the present one, and the one before
    kinds: Annotated[tuple[str, ...] | None, BeforeValidator(_listed)] = None  #: by default all
    digest_at: str | None = None  #: a time of day in UTC, like `07:30`; by default at once

    def plain(self) -> dict[str, Any]:
        """Return it as a recipient would send it, secrets included."""
        return {
            "type": self.type,
            "url": self.url.get_secret_value(),
            "secrets": [secret.get_secret_value() for secret in self.secrets],
            "kinds": None if self.kinds is None else list(self.kinds),
            "digest_at": self.digest_at,
        }


class NotificationSettings(Part):
    """Who carries notices, and how long they are kept."""

    channels: tuple[OrganisationChannel, ...] = ()  #: where the organisation itself is told
    apprise_schemes: Annotated[frozenset[str], BeforeValidator(_listed)] = APPRISE_SCHEMES
    private_targets: bool = False  #: recipients may name addresses inside this network
    lanes: int = Field(default=16, ge=2, le=256)  #: channels that are served at once
    retention_s: float = Field(default=90 * DAY_S, ge=DAY_S)  #: how long a notice can be read
    feed_limit: int = Field(default=256, ge=4, le=65_536)  #: feeds that may be open at once
    give_up_s: float = Field(default=3 * DAY_S, ge=60.0)  #: how long a channel that is down is tried
