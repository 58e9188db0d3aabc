"""A class for every error of CareGrid's pallets, and for what a node's pool refuses, found by name.

All are :class:`~caregrid.errors.CallRejected`. Those that mean the same as an error of
:mod:`caregrid.errors` are of that class, too: who catches `NoGrant` need not know that the chain said so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from caregrid import errors
from caregrid.chain.refusals import emr, pool, threats
from caregrid.chain.refusals.base import EmrRefusal, Refusal, ThreatsRefusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caregrid.chain.port import Event


def _by_name(base: type[Refusal]) -> dict[str, type[Refusal]]:
    return {kind.__name__: kind for kind in base.__subclasses__()}


#: By pallet, then by the error's name.
PALLETS: Final[Mapping[str, Mapping[str, type[Refusal]]]] = {
    EmrRefusal.PALLET: _by_name(EmrRefusal),
    ThreatsRefusal.PALLET: _by_name(ThreatsRefusal),
}


def refusal(pallet: str, name: str, docs: str = "") -> errors.CallRejected:
    """Return the exception for an error or a reject reason; `docs` explain one that has no class."""
    kind = PALLETS.get(pallet, {}).get(name)
    return errors.CallRejected(pallet=pallet, name=name, docs=docs) if kind is None else kind()


def of_item(event: Event) -> errors.CallRejected | None:
    """Return why an item of a batch was left out, from an event such as `RecordRejected`; else None."""
    if event.pallet in PALLETS and event.name.endswith("Rejected"):
        return refusal(event.pallet, str(event.fields["reason"]))
    return None


__all__ = [
    "PALLETS",
    "EmrRefusal",
    "Refusal",
    "ThreatsRefusal",
    "emr",
    "of_item",
    "pool",
    "refusal",
    "threats",
]
