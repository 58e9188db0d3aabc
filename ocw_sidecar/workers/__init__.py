"""What a sidecar does by itself, a file each; and the loops, the clock and the control around it."""

from ocw_sidecar.workers.control import ControlWatch
from ocw_sidecar.workers.crew import WORKERS, Crew, Tools, require_worker
from ocw_sidecar.workers.desk import Desk
from ocw_sidecar.workers.loop import Worker
from ocw_sidecar.workers.pipeline import shared_steps, submitting_steps

__all__ = [
    "WORKERS",
    "ControlWatch",
    "Crew",
    "Desk",
    "Tools",
    "Worker",
    "require_worker",
    "shared_steps",
    "submitting_steps",
]
