"""Which endpoint is tried first, and what is told of it."""

from __future__ import annotations

import pytest

from caregrid.chain.endpoints import AVOIDED_S, MAX_AVOIDED_S, Endpoints, public_name
from caregrid.errors import ConfigInvalid

A, B, C = "ws://a", "ws://b", "ws://c"


def test_they_are_tried_in_order() -> None:
    """As they were given, each once; one that failed stands behind the others, for a while."""
    endpoints = Endpoints([A, B, A, C])
    assert [A, B, C] == endpoints.in_order(0.0)
    assert 3 == endpoints.count
    endpoints.failed(A, 0.0)
    assert [B, C, A] == endpoints.in_order(AVOIDED_S - 1)
    assert [A, B, C] == endpoints.in_order(AVOIDED_S)


def test_one_that_fails_again_stands_back_longer() -> None:
    """Twice as long each time, up to a bound; once it served, all is forgotten."""
    endpoints = Endpoints([A, B])
    for times in range(1, 30):
        endpoints.failed(A, 0.0)
        back = min(MAX_AVOIDED_S, AVOIDED_S * 2 ** (times - 1))
        assert [[B, A], [A, B]] == [endpoints.in_order(back - 1), endpoints.in_order(back)]
    endpoints.served(A)
    assert [A, B] == endpoints.in_order(0.0)
    endpoints.failed(A, 0.0)
    assert [A, B] == endpoints.in_order(AVOIDED_S)


def test_all_that_failed_are_still_tried() -> None:
    """In the order of preference: there is nothing better."""
    endpoints = Endpoints([A, B])
    for url in (B, A):
        endpoints.failed(url, 0.0)
    assert [A, B] == endpoints.in_order(1.0)


def test_what_is_better_than_the_present_one() -> None:
    """Those before it that have not failed lately."""
    endpoints = Endpoints([A, B, C])
    assert [] == endpoints.better_than(A, 0.0)
    assert [A, B] == endpoints.better_than(C, 0.0)
    endpoints.failed(A, 0.0)
    assert [B] == endpoints.better_than(C, 1.0)
    assert [] == endpoints.better_than(B, 1.0)


def test_one_of_another_chain_is_never_tried_again() -> None:
    """However little else there is."""
    endpoints = Endpoints([A, B])
    endpoints.foreign(A)
    assert ([B], False) == (endpoints.in_order(10**9), endpoints.all_foreign)
    endpoints.foreign(B)
    assert ([], True) == (endpoints.in_order(10**9), endpoints.all_foreign)


def test_none_at_all() -> None:
    """The message says what to do."""
    with pytest.raises(ConfigInvalid, match="name at least one"):
        Endpoints([])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://127.0.0.1:9944", "ws://127.0.0.1:9944"),
        ("wss://node.example/TOKEN", "wss://node.example"),
        ("wss://user:TOKEN@node.example:443/?key=TOKEN#TOKEN", "wss://node.example:443"),
        ("wss://node.example:TOKEN/", "wss://node.example"),
        ("wss://[::1]:1/TOKEN", "wss://::1:1"),
    ],
)
def test_no_token_is_told(url: str, shown: str) -> None:
    """Scheme, host and port of a URL are all that an error may show."""
    assert shown == public_name(url)
    assert shown == str(Endpoints([url]))
