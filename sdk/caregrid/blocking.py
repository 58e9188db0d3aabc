"""What the clients without `await` share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class Run(Protocol):
    """Runs a coroutine to its end and returns what it does."""

    def __call__(self, work: Coroutine[Any, Any, T]) -> T:
        """Block until it has ended; what it raises comes out."""
