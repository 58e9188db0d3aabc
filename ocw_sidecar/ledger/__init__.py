"""What the chain says of our organisation's records: grants, requests and objects, kept from its events."""
