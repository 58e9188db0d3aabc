"""A storage node: a process that keeps fragments on its own disk and hands them out by their hash."""

from storage_network.node.app import make_app
from storage_network.node.fragments import FragmentStore, Usage

__all__ = ["FragmentStore", "Usage", "make_app"]
