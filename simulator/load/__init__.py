"""Thousands of devices from one process, each with its own credentials, connection and receipts.

A client of MQTT 3.1.1 of its own (packets.py, session.py): paho needs some 45 kB and several callbacks a packet for a
connection, this one about 5 kB (measured: docs/simulator/load.md).
"""
