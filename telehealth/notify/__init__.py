"""The role that sends what was written to be sent."""
