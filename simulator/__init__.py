"""A client: seeded residents, devices and faults. Speaks only MQTT and HTTP; knows nothing of alerts."""
