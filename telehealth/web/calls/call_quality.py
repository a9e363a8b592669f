"""How good a call was, from what was measured: one number, one word, and a summary that is kept. Pure.

The number is a mean opinion score of the conversation (1 to 4.5), estimated by the simplified E-model of ITU-T G.107
with its default values, and the delay impairment in the form of R. G. Cole and J. H. Rosenbluth, "Voice over IP
performance monitoring" (2001). ITU-T G.113 lists no constants for Opus: Ie = 0 and Bpl = 10 (some concealment of loss)
are assumed.

    R = 93.2 - Id - Ie_eff;  Id = 0.024 d + 0.11 (d - 177.3) [d > 177.3 ms];  Ie_eff = Ie + (95 - Ie) P / (P + Bpl)
    MOS = 1 + 0.035 R + 7e-6 R (R - 60) (100 - R)

d is the one-way delay from mouth to ear in ms (half of the round trip, twice the jitter for the buffer, and 40 ms for
coding), P the loss in percent that remains. It is an estimate, and of the sound only; freezes of the picture are told
beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

Word = Literal["good", "fair", "poor", "lost"]

#: Of coding and playing, in ms.
_CODING_MS: Final = 40.0
_EQUIPMENT: Final = 0.0
_ROBUSTNESS: Final = 10.0
#: MOS from which the word is "good", and "fair".
_GOOD: Final = 3.9
_FAIR: Final = 3.1
#: Share of the time that the picture stood still, from which on it is no better than this.
_FROZEN_FAIR: Final = 0.05
_FROZEN_POOR: Final = 0.20


def rating(*, round_trip: float, jitter: float, loss: float) -> float:
    """R of the E-model, 0 to 93.2. Seconds, seconds, share."""
    delay = round_trip * 500 + jitter * 2000 + _CODING_MS
    late = 0.024 * delay + (0.11 * (delay - 177.3) if delay > 177.3 else 0.0)
    percent = loss * 100
    lossy = _EQUIPMENT + (95 - _EQUIPMENT) * percent / (percent + _ROBUSTNESS)
    return min(93.2, max(0.0, 93.2 - late - lossy))


def opinion(*, round_trip: float, jitter: float, loss: float) -> float:
    """Estimated mean opinion score, 1 to 4.5."""
    r = rating(round_trip=round_trip, jitter=jitter, loss=loss)
    # the cubic dips below 1 for small R
    return min(4.5, max(1.0, 1 + 0.035 * r + 7e-6 * r * (r - 60) * (100 - r)))


def word(mos: float, frozen_share: float = 0.0) -> Word:
    """What the clinician reads."""
    if mos < _FAIR or frozen_share > _FROZEN_POOR:
        return "poor"
    if mos < _GOOD or frozen_share > _FROZEN_FAIR:
        return "fair"
    return "good"


@dataclass(frozen=True)
class Sample:
    """What was measured over some seconds. seconds: over how many; frozen: of them the picture stood still."""

    seconds: float
    round_trip: float | None
    jitter: float
    up_loss: float
    down_loss: float
    freezes: int = 0
    frozen: float = 0.0


@dataclass
class Summary:
    """A participant's call so far, as it is kept (participant.quality)."""

    seconds: float = 0.0
    join: float | None = None
    path: str | None = None
    round_trip: float = 0.0
    measured: float = 0.0
    jitter: float = 0.0
    up_loss: float = 0.0
    down_loss: float = 0.0
    freezes: int = 0
    frozen: float = 0.0
    opinion: float = 0.0
    worst: float = 4.5
    interruptions: int = 0
    audio_only_seconds: float = 0.0
    last: Word | None = None

    def add(self, sample: Sample) -> None:
        """Take in a sample; means are weighted by time."""
        if sample.seconds <= 0:
            return
        if sample.round_trip is not None:
            self.round_trip = _mean(self.round_trip, self.measured, sample.round_trip, sample.seconds)
            self.measured += sample.seconds
        round_trip = sample.round_trip if sample.round_trip is not None else self.round_trip
        mos = opinion(round_trip=round_trip, jitter=sample.jitter, loss=max(sample.up_loss, sample.down_loss))
        for name, value in (
            ("jitter", sample.jitter),
            ("up_loss", sample.up_loss),
            ("down_loss", sample.down_loss),
            ("opinion", mos),
        ):
            setattr(self, name, _mean(getattr(self, name), self.seconds, value, sample.seconds))
        self.seconds += sample.seconds
        self.freezes += sample.freezes
        self.frozen += min(sample.frozen, sample.seconds)
        self.worst = min(self.worst, mos)
        self.last = word(mos, min(sample.frozen, sample.seconds) / sample.seconds)

    def kept(self) -> dict[str, Any]:
        """As JSON for the record: seconds, shares, mean and worst MOS, and the word of the whole call."""
        known = self.seconds > 0
        return {
            "seconds": round(self.seconds, 1),
            "join": None if self.join is None else round(self.join, 2),
            "path": self.path,
            "round_trip": round(self.round_trip, 4) if self.measured else None,
            "jitter": round(self.jitter, 4) if known else None,
            "up_loss": round(self.up_loss, 4) if known else None,
            "down_loss": round(self.down_loss, 4) if known else None,
            "freezes": self.freezes,
            "frozen": round(self.frozen, 2),
            "mos": round(self.opinion, 2) if known else None,
            "worst_mos": round(self.worst, 2) if known else None,
            "interruptions": self.interruptions,
            "audio_only_seconds": round(self.audio_only_seconds, 1),
            "word": word(self.opinion, self.frozen / self.seconds) if known else None,
        }

    @classmethod
    def of(cls, kept: dict[str, Any] | None) -> Summary:
        """Going on from what was kept: after a reload, or at another process."""
        if not kept or not kept.get("seconds"):
            return cls(join=(kept or {}).get("join"), path=(kept or {}).get("path"))
        return cls(
            seconds=kept["seconds"],
            join=kept.get("join"),
            path=kept.get("path"),
            round_trip=kept.get("round_trip") or 0.0,
            measured=kept["seconds"] if kept.get("round_trip") is not None else 0.0,
            jitter=kept.get("jitter") or 0.0,
            up_loss=kept.get("up_loss") or 0.0,
            down_loss=kept.get("down_loss") or 0.0,
            freezes=kept.get("freezes") or 0,
            frozen=kept.get("frozen") or 0.0,
            opinion=kept.get("mos") or 0.0,
            worst=kept.get("worst_mos") or 4.5,
            interruptions=kept.get("interruptions") or 0,
            audio_only_seconds=kept.get("audio_only_seconds") or 0.0,
        )


def _mean(before: float, weight: float, value: float, more: float) -> float:
    return (before * weight + value * more) / (weight + more)
