"""What the chain says of our organisation's objects, records, grants and requests, kept beside the cursor."""
