"""What `scripts/make-definitions` does: fetch HL7's packages, read them, write them in the compact form."""
