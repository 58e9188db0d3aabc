"""What an operator can set: environment variables `CAREGRID_*` over a TOML file over these defaults."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import platformdirs
from pydantic import (
    BeforeValidator,
    ByteSize,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from caregrid.errors import ConfigInvalid, InputInvalid
from caregrid.hosts import is_loopback
from caregrid.keys import decode_account
from ocw_sidecar.settings.api import ApiSettings
from ocw_sidecar.settings.background import BackgroundSettings, Schedule
from ocw_sidecar.settings.chain import ChainSettings
from ocw_sidecar.settings.clock import ClockSettings
from ocw_sidecar.settings.database import DatabaseSettings
from ocw_sidecar.settings.key_store import KeyStoreSettings
from ocw_sidecar.settings.logs import LogSettings
from ocw_sidecar.settings.notifications import NotificationSettings
from ocw_sidecar.settings.redis import RedisSettings
from ocw_sidecar.settings.storage import StorageSettings
from ocw_sidecar.settings.workers import WorkersSettings

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MIB: Final = 1 << 20
#: One CESS segment: a larger object is padded to the next one.
CESS_SEGMENT_SIZE: Final = 32 * MIB
#: Validation parses FHIR in memory, which takes about ten times the text.
MAX_FHIR_SIZE: Final = 64 * MIB
#: Beside the first; every one of them is tried before an upload is put off.
MAX_GATEWAYS: Final = 15
#: The chain's bound on one object's records is checked there; this one keeps planning a pack short.
MAX_PACK_RECORDS: Final = 16_384


def _account(value: Any) -> Any:
    try:
        return decode_account(value) if isinstance(value, str) else value
    except InputInvalid as exc:
        raise ValueError(str(exc)) from exc


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Account = Annotated[bytes, BeforeValidator(_account), Field(min_length=32, max_length=32)]
Gateways = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed), Field(max_length=MAX_GATEWAYS)]
Urls = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed), Field(min_length=1)]


class Settings(BaseSettings):
    """The sidecar's settings; durations are in seconds, sizes in bytes or like `32MiB`."""

    model_config = SettingsConfigDict(
        env_prefix="CAREGRID_", env_nested_delimiter="__", frozen=True, extra="forbid", validate_default=True
    )

    config_file: Path | None = None  #: the TOML file these were read from
    home: Path = Path(platformdirs.user_data_dir("caregrid"))  #: queue, spool, keys and tokens
    organisation: Account  #: whose records these are: SS58 or 0x and hex

    host: str = "127.0.0.1"
    port: int = Field(default=7480, ge=0, le=65535)  #: 0 takes any free one
    trust_network: bool = False  #: listen beyond loopback, where a TLS proxy stands in front
    ready_file: Path | None = None  #: written when the API answers: {"pid": …, "url": …}

    chain_urls: Urls = ("ws://127.0.0.1:9944",)
    gateway_url: str = "http://127.0.0.1:8080"
    gateway_urls: Gateways = ()  #: further gateways of the same network, or all when `gateway_url` is not set
    territory: str = "caregrid"  #: the CESS territory that objects are stored in
    operator_file: Path | None = None  #: the operator's identity; by default in the home folder
    key_store_file: Path | None = None  #: the custodian's master key; by default in the home folder
    passphrase_file: Path | None = None  #: opens both; by default in the home folder

    pack_size_limit: ByteSize = Field(default=ByteSize(CESS_SEGMENT_SIZE), ge=1)
    pack_age_limit_s: float = Field(default=30.0, ge=0)  #: the longest that a record waits for company
    pack_record_limit: int = Field(default=2048, ge=1, le=MAX_PACK_RECORDS)

    max_payload: ByteSize = Field(default=ByteSize(100 * MIB), ge=1)  #: plaintext of one submission
    max_fhir_payload: ByteSize = Field(default=ByteSize(MAX_FHIR_SIZE), ge=1, le=MAX_FHIR_SIZE)
    min_free_disk: ByteSize = Field(default=ByteSize(1024 * MIB), ge=0)
    queue_limit: PositiveInt = 1_000_000  #: unconfirmed submissions and records

    lease_s: float = Field(default=60.0, ge=1)
    tick_s: PositiveFloat = 1.0  #: how often idle workers look without being woken
    drain_s: float = Field(default=20.0, ge=0)  #: what running steps get to finish when the daemon stops
    anchor_batch: PositiveInt = 16  #: packs whose calls go into one submission
    anchor_lanes: int = Field(default=4, ge=1, le=16)  #: submissions that may wait for finality at once
    store_lanes: int = Field(default=2, ge=1, le=16)  #: objects uploaded at once

    api: ApiSettings = ApiSettings()
    background: BackgroundSettings = BackgroundSettings()
    chain: ChainSettings = ChainSettings()
    clock: ClockSettings = ClockSettings()
    database: DatabaseSettings = DatabaseSettings()
    key_store: KeyStoreSettings = KeyStoreSettings()
    logs: LogSettings = LogSettings()
    notifications: NotificationSettings = NotificationSettings()
    redis: RedisSettings = RedisSettings()
    storage: StorageSettings = StorageSettings()
    workers: WorkersSettings = WorkersSettings()

    @classmethod
    def load(cls, config_file: Path | None = None, **overrides: Any) -> Self:
        """Read the settings; `overrides` stand above the environment, and None among them is left out.

        Raises:
            ConfigInvalid: something is missing or makes no sense; the message names it and says what to do.
        """
        given = {name: value for name, value in overrides.items() if value is not None}
        try:
            return cls(**given) if config_file is None else cls(config_file=config_file, **given)
        except ValidationError as exc:
            raise ConfigInvalid(_advice(exc.errors(include_input=False, include_url=False)[0])) from None
        except tomllib.TOMLDecodeError as exc:
            raise ConfigInvalid(f"the configuration file is not TOML: {exc}") from exc

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic passes it by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the TOML file, when one is named, below the environment."""
        named = init_settings().get("config_file") or env_settings().get("config_file")
        if named is None:
            return init_settings, env_settings
        if not Path(named).is_file():
            raise ConfigInvalid(f"there is no configuration file {named}; check the path")
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(named))

    @model_validator(mode="after")
    def _require_private_listener(self) -> Self:
        if not self.trust_network and not is_loopback(self.host):
            raise ValueError(
                "host reaches beyond this machine, where plain HTTP would show plaintext; "
                "set trust_network = true only behind a proxy that ends TLS"
            )
        return self

    @model_validator(mode="after")
    def _require_shared_schedule(self) -> Self:
        if self.background.schedule is Schedule.PERIODIC and self.database.url is None:
            raise ValueError(
                "background.schedule = periodic is kept in PostgreSQL; set database.url, or use adaptive"
            )
        return self

    @property
    def gateways(self) -> tuple[str, ...]:
        """The storage gateways, the preferred one first."""
        named = "gateway_url" in self.model_fields_set or not self.gateway_urls
        first = (self.gateway_url,) if named else ()
        return tuple(dict.fromkeys((*first, *self.gateway_urls)))

    @property
    def logs_path(self) -> Path:
        """Where logs are kept."""
        return self.logs.folder or self.home / "logs"

    @property
    def operator_path(self) -> Path:
        """Where the operator's identity is."""
        return self.operator_file or self.home / "operator.json"

    @property
    def key_store_path(self) -> Path:
        """Where the custodian's master key is."""
        return self.key_store_file or self.home / "keystore.json"

    @property
    def proof_key_path(self) -> Path:
        """Where the secret key is that tags of stored objects are made with."""
        return self.workers.integrity.proof_key_file or self.home / "proof.key"

    @property
    def passphrase_path(self) -> Path:
        """Where the passphrase of both is."""
        return self.passphrase_file or self.home / "passphrase"


def _advice(fault: ErrorDetails) -> str:
    name = ".".join(str(part) for part in fault["loc"])
    if not name:
        return fault["msg"].removeprefix("Value error, ")
    variable = "__".join(str(part).upper() for part in fault["loc"])
    where = f"set CAREGRID_{variable}, or `{name}` in the configuration file"
    if fault["type"] == "missing":
        return f"{name} is not set; {where}"
    if fault["type"] == "extra_forbidden":
        return f"there is no setting called {name}; check its spelling"
    return f"{name} is not usable: {fault['msg'].removeprefix('Value error, ')}; {where}"
