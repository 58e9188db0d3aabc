"""Profiles: read whole, or refused with what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from caregrid.errors import ConfigInvalid
from caregrid.keys import encode_account
from caregrid.profile import Profile

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
chain_urls = ["ws://127.0.0.1:9944"]
gateway_url = "http://127.0.0.1:8080"
identity_file = "me.json"
passphrase_file = "/run/secret"
"""


def test_paths_are_relative_to_the_profile(tmp_path: Path) -> None:
    """A profile and its key files move together."""
    path = tmp_path / "me.toml"
    account = bytes(range(32))
    more = f'organisation = "{encode_account(account)}"\nsidecar_url = "http://x"\ntoken_file = "t"\n'
    path.write_text(GOOD + more)
    profile = Profile.load(path)
    assert tmp_path / "me.json" == profile.identity_file
    assert "/run/secret" == str(profile.passphrase_file)
    assert (account, tmp_path / "t") == (profile.organisation, profile.token_file)
    assert ("ws://127.0.0.1:9944",) == profile.chain_urls


def test_further_gateways_and_a_territory_may_be_named(tmp_path: Path) -> None:
    """The single gateway goes first, and once."""
    path = tmp_path / "me.toml"
    path.write_text(GOOD)
    assert (("http://127.0.0.1:8080",), "caregrid") == _storage(Profile.load(path))
    more = 'gateway_urls = ["http://b", "http://127.0.0.1:8080"]\nterritory = "clinic"\n'
    path.write_text(GOOD + more)
    assert (("http://127.0.0.1:8080", "http://b"), "clinic") == _storage(Profile.load(path))


def _storage(profile: Profile) -> tuple[tuple[str, ...], str]:
    return profile.gateways, profile.territory


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (None, "devnet up"),
        ("not = [toml", "TOML"),
        (GOOD.replace("gateway_url", "gateway"), "gateway_url"),
        (GOOD + 'organisation = "nobody"', "not usable"),
    ],
)
def test_a_bad_profile_is_refused(tmp_path: Path, text: str | None, hint: str) -> None:
    """The message names the fault."""
    path = tmp_path / "me.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigInvalid, match=hint):
        Profile.load(path)
