"""What `scripts/make-examples` makes: one synthetic patient, and a scan-like file."""
