"""Bluetooth SIG health characteristics, as raw bytes that a gateway forwards."""
