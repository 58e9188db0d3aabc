"""Patients that applications ask the sidecar to register: written down first, sent to the chain after."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

#: Registrations that may wait for the chain; past this the API refuses more.
MAX_PENDING: Final = 100_000


class RegistrationState(StrEnum):
    """How far a registration has come."""

    PENDING = "pending"
    REGISTERED = "registered"  #: read back from the finalized head
    FAILED = "failed"  #: given up; asking again tries again


@dataclass(frozen=True, kw_only=True, slots=True)
class Registration:
    """One patient who is to stand on chain."""

    patient_id: bytes
    controller: bytes | None  #: who decides for him; None: the organisation
    state: RegistrationState
    reason: str | None = None  #: the code of what the last attempt failed with
    attempts: int = 0  #: those that failed


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistrationCount:
    """How many registrations are in a state."""

    state: RegistrationState
    items: int
    oldest: datetime  #: when the first of them was asked for


class Patients(ABC):
    """Registrations, and the patients that submissions name. Every method is one transaction."""

    @abstractmethod
    async def ask(self, patient_id: bytes, controller: bytes | None, *, now: datetime) -> Registration:
        """Note that a patient is to be registered and return how far that is; asking twice is asking once.

        Raises:
            QueueFull: `MAX_PENDING` wait already.
            Conflict: it was asked for with another controller.
        """

    @abstractmethod
    async def registration(self, patient_id: bytes) -> Registration | None:
        """Return how far a registration has come."""

    @abstractmethod
    async def due(self, limit: int, *, now: datetime) -> list[Registration]:
        """Return some pending registrations whose time has come, the longest due first."""

    @abstractmethod
    async def finish(self, patient_id: bytes) -> None:
        """Note that a patient stands on chain."""

    @abstractmethod
    async def fail(self, patient_id: bytes, *, reason: str) -> None:
        """Give a registration up."""

    @abstractmethod
    async def postpone(self, patient_id: bytes, *, due: datetime, reason: str) -> None:
        """Try a registration again later."""

    @abstractmethod
    async def counts(self) -> Sequence[RegistrationCount]:
        """Return how many registrations are how far; for people who ask, as it reads them all."""

    @abstractmethod
    async def seen(self, after: bytes, limit: int) -> list[bytes]:
        """Return patient ids above `after`, in their order: registered here, or named by a submission."""
