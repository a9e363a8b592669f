"""Simulated residents against real home data: how alike their measurements are."""
