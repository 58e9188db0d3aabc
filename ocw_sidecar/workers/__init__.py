"""The loops that keep the pipeline's steps going."""

from ocw_sidecar.workers.loop import Worker
from ocw_sidecar.workers.pipeline import pipeline_steps, pipeline_workers

__all__ = ["Worker", "pipeline_steps", "pipeline_workers"]
