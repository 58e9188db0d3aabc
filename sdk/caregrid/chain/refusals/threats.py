"""The errors of pallet-threats, in its words. A test compares them with the node's metadata."""

from __future__ import annotations

from caregrid.chain.refusals.base import ThreatsRefusal


class NetworkInvalid(ThreatsRefusal):
    """The prefix length does not fit, or bits behind the prefix are set; clear them."""


class ExpiryInPast(ThreatsRefusal):
    """The block would expire at once; choose a later block."""


class ExpiryTooFar(ThreatsRefusal):
    """The block would last too long; choose a block within `MaxBlockDuration`."""


class BlockUnknown(ThreatsRefusal):
    """The organisation does not block this network; it may have been cleaned up already."""


class LimitInvalid(ThreatsRefusal):
    """A clean-up takes a limit of 1 to `MaxCleanup`."""


class SignatureExists(ThreatsRefusal):
    """A signature has this id already; draw a new one."""


class PatternEmpty(ThreatsRefusal):
    """A signature needs a text."""


class SignatureUnknown(ThreatsRefusal):
    """No signature has this id; it may have been retired already."""


class SignatureForeign(ThreatsRefusal):
    """Another organisation registered the signature; only that one may retire it."""
