"""A resident's record: their page, readings, what is held, alerts, keyed observations. Pages and API."""
