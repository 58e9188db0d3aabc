"""Three sidecars on one PostgreSQL, the real node and the local network, while everything fails once."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.soak.chaos import FAULTS
from tests.soak.site import running_site
from tests.soak.soaking import soak

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocw_sidecar.devnet.chain import ChainParts
    from tests.soak.site import Site


@pytest.fixture
def site(node_parts: ChainParts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A hospital with three sidecars."""
    with running_site(tmp_path_factory.mktemp("soak") / "devnet", node_parts) as running:
        yield running


async def test_nothing_is_lost_or_done_twice(site: Site) -> None:
    """Records come in at all three while one fault follows the other; each is final, and on chain once."""
    assert await soak(site, FAULTS, Random(7), print) > 50  # noqa: S311 - faults, not secrets
