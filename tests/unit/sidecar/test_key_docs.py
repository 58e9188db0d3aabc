"""docs/reference/keys.md says what there is."""

from __future__ import annotations

import re
from pathlib import Path

from ocw_sidecar.cli import keys_create, keys_rotate
from ocw_sidecar.cli.keys import PLACES
from ocw_sidecar.settings.key_store import KeyStoreSettings

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/keys.md").read_text()


def test_page_lists_every_setting() -> None:
    """Each with its default, and no other."""
    rows = dict(re.findall(r"^\| `key_store\.(\w+)` \| ([^|]+) \|", PAGE, re.MULTILINE))
    assert {
        name: "none" if field.default is None else str(field.default)
        for name, field in KeyStoreSettings.model_fields.items()
    } == rows


def test_page_lists_every_command() -> None:
    """And each is there to be loaded."""
    rows = set(re.findall(r"`caregrid keys ([a-z-]+)", PAGE))
    assert set(PLACES) == rows
    made = {
        command.name or command.callback.__name__
        for command in keys_create.app.registered_commands
        if command.callback
    }
    assert made == set(re.findall(r"`caregrid keys create ([a-z-]+)", PAGE))


def test_page_tells_how_long_retiring_waits() -> None:
    """An hour, as the code has it."""
    assert "an hour old" in PAGE
    assert 3600 == keys_rotate.SETTLING.total_seconds()
