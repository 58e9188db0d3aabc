"""What can be wrong with one node: then another may serve. None of these leaves this package."""

from __future__ import annotations

from caregrid.chain.faults import AnswerGarbled


class AnswerTooLong(AnswerGarbled):
    """The answer is longer than any that is taken."""


class StateUnreadable(AnswerGarbled):
    """What the node says is in the chain's state does not fit the types of CESS."""


class Forked(AnswerGarbled):
    """The node has another block where one was final before."""


class RuntimeUnknown(AnswerGarbled):
    """The runtime keeps its state in an older layout than is read here."""


class Refused(ConnectionError):
    """The node answered with an error."""


class Behind(ConnectionError):
    """The node is not synchronised."""
