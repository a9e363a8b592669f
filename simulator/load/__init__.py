"""Thousands of devices from one process, each with its own credentials, connection and receipts.

A client of MQTT 3.1.1 of its own (packets.py, session.py): it takes a third of paho's time for a message, and what
makes load should not take the processor away from what is measured. Figures of both: docs/simulator/load.md.
"""
