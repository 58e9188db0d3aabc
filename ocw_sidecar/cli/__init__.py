"""The command-line program `caregrid`."""
