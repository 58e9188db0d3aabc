"""What refusals have in common."""

from __future__ import annotations

from typing import ClassVar

from caregrid.errors import CallRejected


class Refusal(CallRejected):
    """A refusal with a class of its own: named as the class, explained by its docstring."""

    PALLET: ClassVar[str]

    def __init__(self) -> None:
        kind = type(self)
        super().__init__(pallet=kind.PALLET, name=kind.__name__, docs=" ".join((kind.__doc__ or "").split()))


class EmrRefusal(Refusal):
    """An error of pallet-emr."""

    PALLET = "Emr"


class ThreatsRefusal(Refusal):
    """An error of pallet-threats."""

    PALLET = "Threats"
