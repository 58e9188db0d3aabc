"""What a sidecar does by itself, a file each; and the loops, the clock and the control around it."""
