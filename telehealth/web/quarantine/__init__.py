"""What was refused: list, entry, bytes; tried again, dismissed. Pages and API."""
