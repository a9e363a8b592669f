"""Who speaks. Pure.

Browsers say how loud each packet of voice is (RFC 6464: 0 loudest to 127 silent). Where one does not, its size tells
about the same: Opus spends few bytes on silence.
"""

from __future__ import annotations

#: dB below the loudest that count as silence.
_SILENT = 60.0
_SPEECH = 0.2
#: Who takes over is so much louder than who speaks, for so long.
_LOUDER = 0.1
_TAKES_SECONDS = 0.7
#: A pause in which whoever spoke still does.
_PAUSE_SECONDS = 2.0
_STILL_SECONDS = 0.5


def loudness(level: int | None, size: int) -> float:
    """0 (silent) to 1. level: of the header extension; size: of the packet in bytes, where there is none."""
    if level is not None:
        return min(1.0, max(0.0, (_SILENT - level) / _SILENT))
    return min(1.0, max(0.0, (size - 30) / 100))


class Voices:
    """Loudness of everybody in a room, and who of them speaks."""

    def __init__(self) -> None:
        self._loud: dict[int, float] = {}
        self._heard_at: dict[int, float] = {}
        self._next: int | None = None
        self._next_since = 0.0
        self._last_loud = 0.0
        #: Who speaks; None: nobody.
        self.speaker: int | None = None
        #: Who spoke, the last first.
        self.spoke: list[int] = []

    def heard(self, participant: int, loud: float, now: float) -> None:
        before = self._loud.get(participant, 0.0)
        # Up at once, down slowly: words have pauses between them.
        self._loud[participant] = before + (0.3 if loud > before else 0.03) * (loud - before)
        self._heard_at[participant] = now

    def forget(self, participant: int) -> None:
        """They left, or are muted."""
        self._loud.pop(participant, None)
        self._heard_at.pop(participant, None)

    def gone(self, participant: int) -> None:
        self.forget(participant)
        self.spoke = [who for who in self.spoke if who != participant]

    def judge(self, now: float) -> bool:
        """A few times a second. Whether somebody else speaks than before."""
        for who, at in self._heard_at.items():
            if now - at > _STILL_SECONDS:
                self._loud[who] *= 0.5
        before = self.speaker
        own = self._loud.get(before, 0.0) if before is not None else 0.0
        if own >= _SPEECH:
            self._last_loud = now
        loudest = max(self._loud, key=lambda who: self._loud[who], default=None)
        if loudest is None or self._loud[loudest] < max(_SPEECH, own + _LOUDER if before is not None else 0.0):
            self._next = None
            if before is not None and (now - self._last_loud > _PAUSE_SECONDS or before not in self._loud):
                self.speaker = None
            return self.speaker != before
        if loudest != self._next:
            self._next, self._next_since = loudest, now
        elif loudest != before and now - self._next_since >= _TAKES_SECONDS:
            self.speaker, self._last_loud, self._next = loudest, now, None
            self.spoke = [loudest, *(who for who in self.spoke if who != loudest)]
        return self.speaker != before
