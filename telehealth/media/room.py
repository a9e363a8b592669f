"""The media of one consultation: who is in it, what each of them gets in which slot, and who records.

Whoever was let in sees and hears everybody else who was. Coming, going and muting bind slots to sources and take them
away again; nobody's transport is negotiated anew for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from aiortc import rtp

from telehealth import log
from telehealth.media import protocol, speaking, taps
from telehealth.media import slots as slot_rules
from telehealth.media.allowance import Allowance
from telehealth.media.peer import Holds, Peer
from telehealth.media.source import Slot, Source
from telehealth.model import media
from telehealth.model.media import Allowed, Answer, Event, RecordingTo, Refused

_log = log.get("media")

#: Of one participant, who was not made to leave meanwhile: a browser whose network comes and goes needs a few.
_OFFERS, _OFFERS_A_SECOND = 20.0, 0.5
_JUDGE_SECONDS = 0.25
_WATCH_SECONDS = 0.5
_LINE_SECONDS = 1.0
#: Whoever ticks comes this late only where the whole process stood still.
_STOOD_STILL_SECONDS = 1.0


class Room:
    """tell: of events. later: run this in the background. opener: of recordings; None: nothing can be recorded."""

    def __init__(
        self,
        consultation: int,
        epoch: int,
        *,
        tell: Callable[[Event], None],
        later: Callable[[Coroutine[Any, Any, None]], None],
        opener: taps.Opener | None,
        now: float,
    ) -> None:
        self.consultation, self.epoch = consultation, epoch
        self._tell, self._later, self._opener = tell, later, opener
        self.people: dict[int, Peer] = {}
        self._allowed: dict[int, Allowed] = {}
        self._preferred: dict[int, list[int]] = {}
        #: Who shares a screen, the last one last.
        self._sharing: list[int] = []
        self._voices = speaking.Voices()
        self._taps: dict[int, tuple[RecordingTo, taps.Tap]] = {}
        self._to_record: dict[int, RecordingTo] = {}
        #: Pictures that each viewer gets at most, so that the worker keeps up; None: all.
        self.limit: int | None = None
        self._joining = asyncio.Lock()
        self._coming = 0
        #: Whoever is about to come in and was put out meanwhile does not.
        self._left: set[int] = set()
        self._offers: dict[int, Allowance] = {}
        self._closed = False
        self._ticked_at = self._judged_at = self._watched_at = self._lined_at = self._measured_at = now

    # Who is in it ------------------------------------------------------------------------------------

    async def join(self, participant: int, offer: str, allowed: Allowed) -> str:
        """The answer to an offer. Raises Refused; whoever was in before under this name then stays so."""
        self._offers_once_more(participant)
        self._coming += 1
        self._left.discard(participant)
        try:
            async with self._joining:
                if participant not in self.people and len(self.people) >= protocol.MOST_PEOPLE:
                    raise Refused("full")
                peer, sdp = await Peer.answer(participant, offer, self)
                if self._closed or participant in self._left:
                    await peer.close()
                    raise Refused("unknown room" if self._closed else "left meanwhile")
                self._let_in(peer, allowed)
                return sdp
        finally:
            self._coming -= 1

    def _let_in(self, peer: Peer, allowed: Allowed) -> None:
        before = self.people.get(peer.participant)
        self.people[peer.participant] = peer
        if before is not None:
            before.cut()
            self._later(before.close())
        self._take_allowed(peer.participant, allowed)
        self.arrange(quietly=peer)
        to = self._to_record.get(peer.participant)
        if to is not None and not self._open_tap(peer.participant):
            self._tell(media.Recorded(to.recording, 0, 0, b"", over=True, failed=True))

    def slots_of(self, participant: int) -> dict[str, media.Slot | None]:
        """What each of a viewer's mids carries; empty: they are not here."""
        peer = self.people.get(participant)
        return {} if peer is None else self._seen_by(peer)

    async def restart(self, participant: int, offer: str) -> Answer:
        peer = self.people.get(participant)
        if peer is None:
            raise Refused("restart impossible")
        self._offers_once_more(participant)
        return Answer(await peer.restart(offer), self._seen_by(peer))

    def _offers_once_more(self, participant: int) -> None:
        """Each offer costs as much as a second of forwarding, which others wait for."""
        found = self._offers.setdefault(participant, Allowance(_OFFERS, _OFFERS_A_SECOND, self._ticked_at))
        if not found.take(self._ticked_at):
            raise Refused("too often")

    def allow(self, participant: int, allowed: Allowed) -> None:
        if participant in self.people:
            self._take_allowed(participant, allowed)
            self.arrange()

    def _take_allowed(self, participant: int, allowed: Allowed) -> None:
        peer = self.people[participant]
        self._allowed[participant] = allowed
        for kind, source in peer.sources.items():
            source.open = getattr(allowed, kind)
        if not allowed.audio:
            self._voices.forget(participant)
        if not allowed.screen or "screen" not in peer.sources:
            self._sharing = [who for who in self._sharing if who != participant]
        elif participant not in self._sharing:
            self._sharing.append(participant)

    def prefer(self, viewer: int, order: list[int]) -> None:
        self._preferred[viewer] = order[: protocol.MOST_PEOPLE]
        self.arrange()

    def leave(self, participant: int) -> None:
        """Also whoever is only about to come in."""
        self._left.add(participant)
        self._offers.pop(participant, None)
        self._let_go(participant)

    def _let_go(self, participant: int) -> None:
        peer = self.people.pop(participant, None)
        self._to_record.pop(participant, None)
        self._close_tap(participant)
        if peer is None:
            return
        self._allowed.pop(participant, None)
        self._preferred.pop(participant, None)
        self._sharing = [who for who in self._sharing if who != participant]
        self._voices.gone(participant)
        self._judge_speaker()
        # Before anything waits: from here on nothing of theirs reaches anybody.
        peer.cut()
        self.arrange()
        self._later(peer.close())

    def close(self) -> None:
        self._closed = True
        for participant in list(self.people):
            self.leave(participant)

    # Slots -------------------------------------------------------------------------------------------

    @property
    def wanted(self) -> list[tuple[int, int]]:
        """For each viewer the voices and the pictures that they would get of a worker with room for all."""
        return [(len(self.people) - 1, self._pictures_for(who)) for who in self.people]

    @property
    def busy(self) -> bool:
        """Somebody is about to come in."""
        return self._coming > 0

    @property
    def streams(self) -> int:
        return sum(slot.source is not None for peer in self.people.values() for slot in peer.slots)

    def _pictures_for(self, viewer: int) -> int:
        return len(self._cameras(viewer)) + bool(self._screen(viewer))

    def _cameras(self, viewer: int) -> list[int]:
        others = [who for who in self.people if who != viewer and self._source(who, "video") is not None]
        shown = [who for who in others if self._allowed[who].video]
        return slot_rules.order(shown, preferred=self._preferred.get(viewer, ()), spoke=self._voices.spoke)

    def _screen(self, viewer: int) -> list[int]:
        return [who for who in self._sharing if who != viewer][-1:]

    def _source(self, who: int | None, kind: str) -> Source | None:
        return None if who is None else self.people[who].sources.get(kind)

    def arrange(self, *, quietly: Peer | None = None) -> None:
        """Bind everybody's slots anew where something has changed, and tell them; quietly: this one gets an answer."""
        for viewer, peer in self.people.items():
            before = self._seen_by(peer)
            peer.holds = self._holds(viewer, peer)
            for slot, kind, who in _held(peer):
                slot.bind(self._source(who, kind))
            after = self._seen_by(peer)
            changed = {mid: seen for mid, seen in after.items() if before[mid] != seen}
            if changed and peer is not quietly:
                self._tell(media.Slots(self.consultation, self.epoch, viewer, changed))

    def _holds(self, viewer: int, peer: Peer) -> Holds:
        others = [who for who in self.people if who != viewer]
        voices = slot_rules.assign(peer.holds.voices, others)
        seats = {who: seat for seat, who in enumerate(voices) if who is not None}
        limits = [limit for limit in (self.limit, peer.line.pictures) if limit is not None]
        most = min(limits, default=None)
        # What somebody shares is what all talk about: it comes before faces.
        screens = slot_rules.assign(peer.holds.screens, self._screen(viewer), limit=most)
        if most is not None:
            most -= sum(who is not None for who in screens)
        pictures = slot_rules.assign(peer.holds.pictures, self._cameras(viewer), limit=most, seats=seats)
        return Holds(voices, pictures, screens)

    def _seen_by(self, peer: Peer) -> dict[str, media.Slot | None]:
        return {slot.mid: None if who is None else media.Slot(who, kind) for slot, kind, who in _held(peer)}

    # What transports tell ----------------------------------------------------------------------------

    def heard(self, peer: Peer, kind: str, packet: rtp.RtpPacket, now: float) -> None:
        if self.people.get(peer.participant) is not peer:
            return
        if kind == "audio":
            level = packet.extensions.audio_level
            loud = speaking.loudness(None if level is None else level[1], len(packet.payload))
            self._voices.heard(peer.participant, loud, now)
        recorded = self._taps.get(peer.participant)
        if recorded is not None:
            try:
                recorded[1].packet(kind, packet, now)
            except Exception as error:
                _log.error(
                    "a recording failed; it ends here",
                    consultation=self.consultation, error=type(error).__name__, where=log.where(error),
                )  # fmt: skip
                self._close_tap(peer.participant)

    def changed(self, peer: Peer) -> None:
        if self.people.get(peer.participant) is not peer:
            return  # one that was replaced
        self._tell(media.Connected(self.consultation, self.epoch, peer.participant, peer.state))
        if peer.state == "down":
            # Not leave(): they may be about to come in anew.
            self._let_go(peer.participant)

    # In time -----------------------------------------------------------------------------------------

    async def tick(self, now: float) -> None:
        """Some times in a tenth of a second."""
        late = now - self._ticked_at
        self._ticked_at = now
        for peer in list(self.people.values()):
            if late > _STOOD_STILL_SECONDS:
                peer.forgive(late)
            await peer.tick(now)
        if now - self._judged_at >= _JUDGE_SECONDS:
            self._judged_at = now
            if self._voices.judge(now):
                self._tell_speaker()
        if now - self._watched_at >= _WATCH_SECONDS:
            self._watched_at = now
            for peer in list(self.people.values()):
                peer.watch(now)
        if now - self._lined_at >= _LINE_SECONDS:
            seconds, self._lined_at = now - self._lined_at, now
            changes = [peer.judge_line(self._pictures_for(who), seconds, now) for who, peer in self.people.items()]
            if any(changes):
                self.arrange()
            self._tell_weak()
        if now - self._measured_at >= media.QUALITY_SECONDS:
            self._measured_at = now
            self._tell_quality(now)

    def _judge_speaker(self) -> None:
        if self._voices.judge(self._ticked_at):
            self._tell_speaker()

    def _tell_speaker(self) -> None:
        self._tell(media.Speaking(self.consultation, self.epoch, self._voices.speaker))
        if self.limit is not None or any(peer.line.pictures is not None for peer in self.people.values()):
            self.arrange()

    def _tell_weak(self) -> None:
        for participant, peer in self.people.items():
            weak = peer.line.pictures is not None, peer.upward.paused
            if weak != peer.weak:
                peer.weak = weak
                self._tell(media.Weak(self.consultation, self.epoch, participant, *weak))

    def _tell_quality(self, now: float) -> None:
        for participant, peer in self.people.items():
            if peer.state == "new":
                continue
            found = peer.measure(now)
            self._tell(
                media.Quality(
                    self.consultation,
                    self.epoch,
                    participant,
                    up_loss=found.up_loss,
                    down_loss=found.down_loss,
                    round_trip=found.round_trip,
                    up_rate=found.up_rate,
                    down_rate=found.down_rate,
                    audio_only=peer.line.audio_only,
                    weak_down=peer.weak[0],
                    weak_up=peer.weak[1],
                )
            )

    # Recording ---------------------------------------------------------------------------------------

    def record(self, to: Mapping[int, RecordingTo]) -> None:
        """Exactly these from now on; who is not in the room yet as soon as they are. Refused: nobody is recorded."""
        if to and self._opener is None:
            raise Refused("recording is not possible")
        for participant, (recorded, _) in list(self._taps.items()):
            if to.get(participant) != recorded:
                self._close_tap(participant)
        self._to_record = dict(to)
        opened = [self._open_tap(participant) for participant in to]
        if not all(opened):
            self.record({})  # whoever asked takes it that nobody is recorded
            raise Refused("recording cannot be written")

    def _open_tap(self, participant: int) -> bool:
        to = self._to_record.get(participant)
        if to is None or self._opener is None or participant in self._taps or participant not in self.people:
            return True

        def wanted(kind: str) -> None:
            source = self._source(participant, kind) if participant in self.people else None
            if source is not None:
                source.want_picture()

        try:
            self._taps[participant] = to, self._opener(to, wanted, self._tell)
        except OSError as error:
            self._to_record.pop(participant)
            _log.error("a recording cannot be written", consultation=self.consultation, error=type(error).__name__)
            return False
        return True

    def _close_tap(self, participant: int) -> None:
        _, tap = self._taps.pop(participant, (None, None))
        if tap is not None:
            with contextlib.suppress(OSError):
                tap.close()


def _held(peer: Peer) -> list[tuple[Slot, str, int | None]]:
    """Each slot with its kind and whom it carries."""
    holds = peer.holds
    return [
        *((slot, "audio", who) for slot, who in zip(peer.voices, holds.voices, strict=True)),
        *((slot, "video", who) for slot, who in zip(peer.pictures, holds.pictures, strict=True)),
        *((slot, "screen", who) for slot, who in zip(peer.screens, holds.screens, strict=True)),
    ]
