"""A sidecar driven by hand, with its API in front."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ocw_sidecar.settings import Settings
from ocw_sidecar.testing import ORGANISATION, Rig, rig
from tests.unit.sidecar.api.calls import serving, token_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.unit.sidecar.api.calls import Client


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings under which nothing waits."""
    return Settings.load(
        home=tmp_path,
        organisation=ORGANISATION,
        pack_age_limit_s=0.0,
        min_free_disk=0,
        max_payload=1_000_000,
        queue_limit=3,
        tick_s=0.05,
    )


@pytest.fixture
async def sidecar(settings: Settings) -> AsyncIterator[Rig]:
    """A sidecar driven by hand."""
    async with rig(settings) as opened:
        yield opened


@pytest.fixture
async def client(sidecar: Rig) -> AsyncIterator[Client]:
    """A client with a token that may do everything."""
    async with serving(sidecar, headers=await token_for(sidecar)) as opened:
        yield opened
