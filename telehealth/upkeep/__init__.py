"""Looking after storage: partitions ahead of time, and forgetting what need not be kept."""
