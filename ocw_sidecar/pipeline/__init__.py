"""What happens to a record between the acknowledgement and its confirmation on chain."""
