"""Moves records out of objects that something was erased from, and seals records anew."""

from ocw_sidecar.workers.compaction.worker import CompactionWorker

__all__ = ["CompactionWorker"]
