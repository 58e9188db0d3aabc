"""Finalized blocks by number, each taken in exactly once, and what becomes due with them."""
