"""What organisations share of attackers, kept here: what we want on the chain, and what stands there."""
