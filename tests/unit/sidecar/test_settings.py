"""Settings come from overrides, environment, file and defaults, in that order, and nonsense is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from caregrid.errors import ConfigInvalid
from caregrid.keys import encode_account
from ocw_sidecar.settings import MIB, Settings

if TYPE_CHECKING:
    from pathlib import Path

ORGANISATION = bytes(range(32))
ANYWHERE = "0.0.0.0"  # noqa: S104 - what settings refuse without a word of trust


@pytest.fixture(autouse=True)
def _organisation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREGRID_ORGANISATION", encode_account(ORGANISATION))


def test_defaults_listen_on_loopback_only() -> None:
    """Out of the box nobody beyond this machine can reach the API."""
    settings = Settings.load()
    assert "127.0.0.1" == settings.host
    assert 32 * MIB == settings.pack_size_limit
    assert 100 * MIB == settings.max_payload
    assert ORGANISATION == settings.organisation


def test_override_beats_environment_beats_file_beats_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each source stands above the next."""
    file = tmp_path / "caregrid.toml"
    file.write_text('port = 1111\npack_age_limit_s = 7\ntick_s = 9\nchain_urls = ["ws://a", "ws://b"]\n')
    monkeypatch.setenv("CAREGRID_PORT", "2222")
    monkeypatch.setenv("CAREGRID_TICK_S", "8")
    settings = Settings.load(file, tick_s=5.0, host=None)
    assert (2222, 7, 5.0) == (settings.port, settings.pack_age_limit_s, settings.tick_s)
    assert ("ws://a", "ws://b") == settings.chain_urls
    assert file == settings.config_file


def test_file_can_be_named_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service unit needs nothing but the environment."""
    file = tmp_path / "caregrid.toml"
    file.write_text("port = 1111\n")
    monkeypatch.setenv("CAREGRID_CONFIG_FILE", str(file))
    assert 1111 == Settings.load().port


def test_sizes_and_lists_are_written_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes take units, and lists of URLs take commas."""
    monkeypatch.setenv("CAREGRID_PACK_SIZE_LIMIT", "4MiB")
    monkeypatch.setenv("CAREGRID_CHAIN_URLS", "ws://a:1, ws://b:2")
    settings = Settings.load()
    assert 4 * MIB == settings.pack_size_limit
    assert ("ws://a:1", "ws://b:2") == settings.chain_urls


def test_organisation_can_be_hex(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account is SS58 or hex outside, and bytes inside."""
    monkeypatch.setenv("CAREGRID_ORGANISATION", "0x" + ORGANISATION.hex())
    assert ORGANISATION == Settings.load().organisation


def test_key_files_lie_in_the_home_folder_by_default(tmp_path: Path) -> None:
    """A home folder is complete in itself, and each file can be named otherwise."""
    settings = Settings.load(home=tmp_path, operator_file=tmp_path / "elsewhere")
    assert tmp_path / "elsewhere" == settings.operator_path
    assert tmp_path / "keystore.json" == settings.key_store_path
    assert tmp_path / "passphrase" == settings.passphrase_path


@pytest.mark.parametrize(
    ("overrides", "advice"),
    [
        ({"port": 70_000}, r"port is not usable: .* set CAREGRID_PORT"),
        ({"host": ANYWHERE}, r"trust_network = true only behind a proxy"),
        ({"host": "hospital.example"}, r"trust_network"),
        ({"organisation": "5Typo"}, r"organisation is not usable: this is no account"),
        ({"organisation": b"short"}, r"organisation is not usable"),
        ({"pack_size_limit": 0}, r"CAREGRID_PACK_SIZE_LIMIT"),
        ({"max_fhir_payload": 65 * MIB}, r"CAREGRID_MAX_FHIR_PAYLOAD"),
        ({"lease_s": 0}, r"CAREGRID_LEASE_S"),
        ({"chain_urls": ""}, r"CAREGRID_CHAIN_URLS"),
        ({"colour": "red"}, r"there is no setting called colour"),
    ],
)
def test_nonsense_is_refused_with_advice(overrides: dict[str, Any], advice: str) -> None:
    """The message names the setting and says what to change."""
    with pytest.raises(ConfigInvalid, match=advice):
        Settings.load(**overrides)


def test_missing_organisation_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one setting without default is asked for by name."""
    monkeypatch.delenv("CAREGRID_ORGANISATION")
    with pytest.raises(ConfigInvalid, match=r"organisation is not set; set CAREGRID_ORGANISATION"):
        Settings.load()


def test_missing_and_broken_files_are_refused(tmp_path: Path) -> None:
    """A configuration file that was named must be there and be TOML."""
    with pytest.raises(ConfigInvalid, match="no configuration file"):
        Settings.load(tmp_path / "nowhere.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("port = = 1")
    with pytest.raises(ConfigInvalid, match="not TOML"):
        Settings.load(broken)


def test_a_refused_value_is_not_repeated() -> None:
    """What was typed into the wrong field may be a secret; the message does not show it."""
    with pytest.raises(ConfigInvalid) as caught:
        Settings.load(port="correct horse battery staple")
    assert "horse" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_network_listener_needs_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a TLS proxy an operator may open the listener, on purpose."""
    monkeypatch.setenv("CAREGRID_TRUST_NETWORK", "true")
    assert ANYWHERE == Settings.load(host=ANYWHERE).host


def test_gateways_are_a_list_with_the_single_one_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """`gateway_url` goes first where it is set; its default does not stand before a list that is."""
    assert ("http://127.0.0.1:8080",) == Settings.load().gateways
    monkeypatch.setenv("CAREGRID_GATEWAY_URLS", "https://b.example, https://c.example")
    assert ("https://b.example", "https://c.example") == Settings.load().gateways
    monkeypatch.setenv("CAREGRID_GATEWAY_URL", "https://a.example")
    assert ("https://a.example", "https://b.example", "https://c.example") == Settings.load().gateways
    monkeypatch.setenv("CAREGRID_GATEWAY_URL", "https://c.example")
    assert ("https://c.example", "https://b.example") == Settings.load().gateways
