"""What browsers and workers measured of the connections of one visit: summed up, kept, and as one word each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from telehealth import clock, metrics
from telehealth.model import media
from telehealth.store import participants
from telehealth.store.db import Database
from telehealth.store.visit_view import Loaded
from telehealth.web.auth import SERVICE
from telehealth.web.calls import call_messages, call_quality

#: What was summed up is written at least so often.
_WRITE_SECONDS: Final = 15.0
#: Browsers tell what they measured so often; workers every media.QUALITY_SECONDS.
_SAMPLE_SECONDS: Final = 5.0


@dataclass
class _Known:
    """Of one participant's connection here."""

    summary: call_quality.Summary
    written_at: float
    written: str | None = None
    dirty: bool = False
    #: When the browser itself last said how it goes; it knows better than the worker.
    told_at: float = float("-inf")


class Measured:
    """One a visit and process. wake is called when somebody's word has changed."""

    def __init__(self, database: Database, wake: Callable[[], None]) -> None:
        self._database = database
        self._wake = wake
        self._known: dict[int, _Known] = {}

    @property
    def words(self) -> dict[int, str]:
        """How good a connection is now, as far as this process knows."""
        return {who: known.summary.last for who, known in self._known.items() if known.summary.last is not None}

    def by_browser(self, loaded: Loaded, participant_id: int, asked: call_messages.Stats) -> None:
        """What a browser here measured over the last five seconds."""
        known = self._of(loaded, participant_id)
        known.told_at = clock.monotonic()
        known.summary.path = asked.path
        if known.summary.join is None and asked.join is not None:
            known.summary.join = asked.join
            metrics.CALL_JOIN_SECONDS.observe(asked.join)
        sample = call_quality.Sample(
            _SAMPLE_SECONDS, asked.rtt, asked.jitter, asked.up_loss, asked.down_loss, asked.freezes, asked.frozen
        )
        self._add(known, sample)

    def by_worker(self, loaded: Loaded, event: media.Quality) -> None:
        """What the worker measured; taken in for callers that do not say themselves."""
        known = self._of(loaded, event.participant)
        if event.audio_only:
            known.summary.audio_only_seconds += media.QUALITY_SECONDS
            known.dirty = True
        if clock.monotonic() - known.told_at > 3 * _SAMPLE_SECONDS:
            sample = call_quality.Sample(media.QUALITY_SECONDS, event.round_trip, 0.0, event.up_loss, event.down_loss)
            self._add(known, sample)

    def interrupted(self, loaded: Loaded, participant_id: int) -> None:
        known = self._of(loaded, participant_id)
        known.summary.interruptions += 1
        known.dirty = True

    async def write(self, *, all_of: bool = False) -> None:
        """Keep what is new of it, when it is time, or at once."""
        at = clock.monotonic()
        for participant_id, known in list(self._known.items()):
            due = all_of or at - known.written_at > _WRITE_SECONDS or known.summary.last != known.written
            if not known.dirty or not due:
                continue
            kept = {**known.summary.kept(), "now": known.summary.last}
            async with self._database.transaction(SERVICE) as connection:
                await participants.set_quality(connection, participant_id, kept)
            known.dirty, known.written_at, known.written = False, at, known.summary.last

    def _add(self, known: _Known, sample: call_quality.Sample) -> None:
        known.summary.add(sample)
        known.dirty = True
        if known.summary.last is not None:
            metrics.CALL_QUALITY.labels(known.summary.last).inc()
        if known.summary.last != known.written:
            self._wake()

    def _of(self, loaded: Loaded, participant_id: int) -> _Known:
        found = self._known.get(participant_id)
        if found is None:
            kept = next((p.quality for p in loaded.people if p.id == participant_id), None)
            found = _Known(call_quality.Summary.of(kept), clock.monotonic())
            self._known[participant_id] = found
        return found
