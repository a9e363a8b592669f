"""Fuzzing: whatever comes in, every decoder answers, and answers alike. `make fuzz`."""
