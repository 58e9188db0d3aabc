"""What can be wrong with one node: then another may serve. None of these leaves the chain adapter."""

from __future__ import annotations


class NodeBehind(ConnectionError):
    """The node has yet to see what was final before."""

    def __init__(self, blocks: float = float("inf")) -> None:
        super().__init__()
        self.blocks = blocks  #: how many, where that is known


class AnswerGarbled(ConnectionError):
    """The node answered with something that is not JSON-RPC."""


class ForeignChain(Exception):
    """The node's block 0 is another one."""
