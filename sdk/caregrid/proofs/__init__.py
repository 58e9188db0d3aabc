"""Proofs that outsiders can check."""

from caregrid.proofs.manifest import (
    LEAF_LEN,
    inclusion_proof,
    leaf_bytes,
    manifest_root,
    verify_inclusion,
)

__all__ = ["LEAF_LEN", "inclusion_proof", "leaf_bytes", "manifest_root", "verify_inclusion"]
