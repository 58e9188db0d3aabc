"""CareGrid's background tasks: clean-up of expired IP blocks, and synchronisation with the chain."""
