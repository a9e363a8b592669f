"""Media workers: processes that forward audio and pictures, and nothing else. Only here is aiortc imported."""
