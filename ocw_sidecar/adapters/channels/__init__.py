"""The ways to recipients: webhooks, and what apprise knows."""

from ocw_sidecar.adapters.channels.opening import RealChannels

__all__ = ["RealChannels"]
