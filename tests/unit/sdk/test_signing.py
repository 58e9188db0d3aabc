"""Signed extrinsics: their parts, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.chain import signing
from caregrid.chain.decoding import compact as read_compact
from caregrid.errors import ConfigInvalid
from tests.acceptance.outsider.scale import compact as outsiders_compact

EMPTY, FULL = 0, 1


class Described:
    """Metadata, as far as it is looked at."""

    def __init__(self, *extensions: tuple[str, int, int], version: int = 4) -> None:
        extrinsic = {
            "version": version,
            "signed_extensions": [
                {"identifier": name, "ty": ty, "additional_signed": additional}
                for name, ty, additional in extensions
            ],
        }
        self._extrinsic = _Value(extrinsic)
        types = [
            {"id": EMPTY, "type": {"def": {"tuple": []}}},
            {"id": FULL, "type": {"def": {"primitive": "u8"}}},
        ]
        self.portable_registry = {"types": _Value(types)}

    def __getitem__(self, index: int) -> Any:
        return {1: {"extrinsic": self._extrinsic}} if index == 1 else None


class _Value:
    def __init__(self, value: Any) -> None:
        self.value = value


@given(st.integers(0, 2**100))
def test_compact_numbers(value: int) -> None:
    """As somebody else writes them, and as we read them."""
    encoded = signing.compact(value)
    assert outsiders_compact(value) == encoded
    assert (value, len(encoded)) == read_compact(encoded, 0)


@given(st.integers(0, 2**32 - 1))
def test_an_era_starts_at_its_block(born: int) -> None:
    """Period 64, and the phase is the block's place in it."""
    encoded = int.from_bytes(signing.era(born), "little")
    assert (64, born % 64) == (2 << (encoded & 15), encoded >> 4)


def test_an_unknown_extension_with_contents_is_refused() -> None:
    """It would show as a bad signature of every call; an empty one changes nothing."""
    assert 2 == len(signing.extensions(Described(("CheckWeight", EMPTY, EMPTY), ("CheckNonce", FULL, EMPTY))))
    for contents in ((FULL, EMPTY), (EMPTY, FULL)):
        with pytest.raises(ConfigInvalid, match=r"CheckMoon.*update CareGrid"):
            signing.extensions(Described(("CheckMoon", *contents)))


def test_another_version_of_extrinsics_is_refused() -> None:
    """Rather than misunderstood by the node."""
    with pytest.raises(ConfigInvalid):
        signing.extensions(Described(version=5))
