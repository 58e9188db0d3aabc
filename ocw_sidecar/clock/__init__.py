"""Finalized blocks by number, and what is due at them."""
