"""Chaos: what devices sent against what is stored, after everything was killed many times. `make chaos`."""
