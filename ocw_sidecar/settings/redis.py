"""An optional cache of what nodes of the chain answer, which processes share."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, SecretStr, field_validator

from ocw_sidecar.settings.part import Part

_SCHEMES: Final = frozenset({"redis", "rediss", "unix"})


class RedisSettings(Part):
    """Without a URL nothing is kept."""

    url: SecretStr | None = None  #: redis://HOST:PORT/0, or rediss:// for TLS; its text may hold a password
    prefix: str = Field(default="caregrid", min_length=1, max_length=32)  #: what its keys begin with
    keep_s: PositiveFloat = Field(default=3600.0, le=86_400)  #: how long an answer stays there

    @field_validator("url")
    @classmethod
    def _require_redis(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and urlsplit(url.get_secret_value()).scheme not in _SCHEMES:
            raise ValueError("it has the form redis://HOST:PORT/0, rediss:// or unix://")
        return url
