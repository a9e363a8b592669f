"""What a caller saw, as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from simulator.callers import watching


@dataclass
class Report:
    """Times in seconds. join: from the offer to the first picture, of each connection; waited: from ready to admitted.

    frames, freezes, frozen, longest: over all pictures that came. ended: why it was over.
    """

    caller: str
    script: str
    opened: float | None = None
    waited: float | None = None
    join: list[float] = field(default_factory=list)
    connections: int = 0
    sockets: int = 0
    people: int = 0
    frames: int = 0
    freezes: int = 0
    frozen: float = 0.0
    longest: float = 0.0
    packets: int = 0
    missing: int = 0
    voice_packets: int = 0
    frames_sent: int = 0
    refused: list[str] = field(default_factory=list)
    messages: int = 0
    network: dict[str, Any] | None = None
    ended: str = "stopped"
    trouble: str | None = None

    def add(self, pictures: Iterable[watching.Seen]) -> None:
        """What one connection brought."""
        for seen in pictures:
            self.frames += seen.frames
            self.freezes += seen.freezes
            self.frozen += seen.frozen
            self.longest = max(self.longest, seen.longest)
            self.packets += seen.packets
            self.missing += seen.missing

    def plain(self) -> dict[str, Any]:
        found = asdict(self)
        for name in ("opened", "waited", "frozen", "longest"):
            if found[name] is not None:
                found[name] = round(found[name], 3)
        found["join"] = [round(seconds, 3) for seconds in self.join]
        return found
