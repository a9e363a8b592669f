"""What devices say: bytes to readings. Pure: no IO, no clock, no log; usable alone by a gateway."""
