"""Organisations, patients and encryption keys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Organisation:
    """An organisation and the accounts that may act for it."""

    account: bytes
    operators: frozenset[bytes]
    emergency: frozenset[bytes]  #: who may open emergency access
    tombstones: int  #: erased records whose tombstones it pays for


@dataclass(frozen=True, kw_only=True, slots=True)
class Patient:
    """A patient as one organisation knows him: random id, no personal data."""

    patient_id: bytes
    organisation: bytes
    controller: bytes
    offered_to: bytes | None  #: who may claim the entry and become its controller


@dataclass(frozen=True, kw_only=True, slots=True)
class EncryptionKey:
    """The public key that data keys are wrapped to for one account."""

    account: bytes
    public_key: bytes  #: MLKEM768-X25519, 1,216 bytes
    version: int
