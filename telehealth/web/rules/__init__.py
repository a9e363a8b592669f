"""A resident's rules: in force, changed, tried before they are saved. Pages and API."""
