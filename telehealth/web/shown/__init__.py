"""Residents, readings, alerts and visits as JSON, and values in words, as pages, API and sockets show them."""
