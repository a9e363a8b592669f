"""Residents: who they are, what is true in their bodies, and what a device shows of it."""
