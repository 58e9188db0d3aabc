"""Blocks, what stands in them, and what is sent to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockRef:
    """One block."""

    number: int
    hash: bytes  #: 32 bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One event of a runtime pallet, named as in the metadata; bytes stay bytes, accounts are 32 bytes."""

    pallet: str
    name: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalizedBlock:
    """A finalized block and everything its runtime reported."""

    ref: BlockRef
    events: Sequence[Event]


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """An intent: what is to be done, not yet signed. See :mod:`caregrid.chain.calls` for builders."""

    pallet: str
    function: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """A call that was executed in a finalized block."""

    block: BlockRef
    extrinsic_hash: bytes
    events: Sequence[Event]
