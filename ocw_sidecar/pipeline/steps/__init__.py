"""The steps that take records on, one file each. Every step may be cut short anywhere and done again."""

from ocw_sidecar.pipeline.steps.anchor import AnchorStep
from ocw_sidecar.pipeline.steps.assemble import AssembleStep
from ocw_sidecar.pipeline.steps.base import JobStep, Step
from ocw_sidecar.pipeline.steps.confirm import ConfirmStep
from ocw_sidecar.pipeline.steps.pack import PackStep
from ocw_sidecar.pipeline.steps.register import RegisterStep
from ocw_sidecar.pipeline.steps.store import StoreStep
from ocw_sidecar.pipeline.steps.validate import ValidateStep, ValidationLimits

__all__ = [
    "AnchorStep",
    "AssembleStep",
    "ConfirmStep",
    "JobStep",
    "PackStep",
    "RegisterStep",
    "Step",
    "StoreStep",
    "ValidateStep",
    "ValidationLimits",
]
