"""Who may ask the sidecar for what: tokens, signed requests, and what is remembered of both."""
