"""Brokers: the embedded one, the configuration of Mosquitto, and the topic rules that both keep."""
