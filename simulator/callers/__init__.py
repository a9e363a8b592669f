"""Callers: residents who join a visit by their link, with a drawn face and a tone, over aiortc."""
