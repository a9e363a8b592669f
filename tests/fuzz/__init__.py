"""Fuzzing: whatever comes in, every decoder answers, and answers alike; a running service lives on. `make fuzz`."""
