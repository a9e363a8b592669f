"""One resident's events in order, where something is out of the ordinary: the sequential part of the fold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from alerts import book, course, judged, reasons, rules, schedule, timeline, tracks
from alerts.episodes import RANK, Episode, Priority
from alerts.kinds.base import Finding, Keep, Told
from alerts.state import State

DAY_US = schedule.DAY_US
_SECOND_US = 1_000_000
_GAP_US = rules.CONTINUOUS_SECONDS * _SECOND_US
_NEWS2_PERSISTENCE_US = 60 * _SECOND_US
_NEWS2_LEVELS = ("", "low-medium", "medium", "high")
_LEVELS = ("", "amber", "red")
#: A finding over a history needs no repeat, and holds as soon as it is found.
_ASSESSED = tracks.Manner(0, 0, 0, 1)


class Row(NamedTuple):
    """A reading with its judgement; `warning` is the NEWS2 sample completed by it, if any."""

    at: int
    code: str
    low: float
    high: float
    quality: int
    live: bool
    low_level: int
    high_level: int
    low_clears: bool
    high_clears: bool
    warning: tuple[int, list[Any]] | None  #: (level, [at, total, quality, inputs])


class Walk:
    """Applies events of one resident to a state. Rows in order, then `finish`."""

    def __init__(
        self, resident: int, zone: str, line: course.Course, state: State | None, start: int, kept: Mapping[str, Keep]
    ) -> None:
        self.resident = resident
        self.zone = zone
        self.line = line
        self.through = start if state is not None else start - 1
        self.midnight = None if state is None else (start // DAY_US + 1) * DAY_US
        self.last: dict[str, Any] = {} if state is None else dict(state.last)
        self.failed: dict[str, int] = {} if state is None else dict(state.failed)
        self.tracks: dict[str, Any] = {} if state is None else dict(state.tracks)
        self.away: dict[str, int] = {} if state is None else dict(state.away)
        self.episodes: list[Episode] = []
        self.daily: list[State] = []
        self.moment: tuple[int, bool, int] = (start - 1, True, _NEWS2_PERSISTENCE_US)
        self.kept = kept
        pages = {} if state is None else state.pages
        self.desk = book.Desk(zone, kept, pages, lambda code: self.last.get(code), self._open_level)
        #: Codes read at this moment, which is assessed when all of it is in.
        self.read: tuple[int, list[str]] | None = None
        self.span = (math.nan, math.nan)  #: of the value, where one is read
        self._enter(line.piece(start), start)

    # Where we are ---------------------------------------------------------------------------------

    def _enter(self, piece: int, after: int) -> None:
        self.piece = piece
        self.monitored = self.line.monitored[piece]
        self.rules = self.line.sets[piece]
        self.cut = self.line.cuts[piece] if piece < len(self.line.cuts) else None
        self.deadline = self.monitored.schedule.after(after, self.rules.graces) if self.monitored is not None else None
        self._look_ahead()

    def _look_ahead(self) -> None:
        """When the next event that is no reading comes."""
        times = [track["timer"] for track in self.tracks.values() if track.get("timer") is not None]
        if self.cut is not None:
            times.append(self.cut)
        if self.deadline is not None:
            times.append(self.deadline.at)
        self.next_at = min(times, default=None)

    def _touch(self, at: int) -> None:
        """An event at this time: the first of a new day leaves the state of the day before."""
        if self.midnight is None:
            self.midnight = (at // DAY_US + 1) * DAY_US
        elif at >= self.midnight:
            today = at // DAY_US * DAY_US
            self.daily.append(self.state(today - 1))
            self.midnight = today + DAY_US
        self.through = at

    def state(self, through: int | None = None) -> State:
        at = self.through if through is None else through
        pages = self.desk.pages()
        return State(at, dict(self.last), dict(self.failed), dict(self.tracks), self.kept, pages, dict(self.away))

    # Time -----------------------------------------------------------------------------------------

    def advance(self, at: int, *, inclusive: bool) -> None:
        """Boundaries up to `at`, and timers and deadlines before it (inclusive: up to it)."""
        while self.next_at is not None and self.next_at <= at:
            now = self.next_at
            if self.cut == now:
                self._cross(now)
            elif now == at and not inclusive:
                return
            else:
                self._fire(now)

    def _cross(self, at: int) -> None:
        before, old = self.monitored, self.rules
        if self.last or self.failed or self.tracks or self.away:
            new_stay = self.line.monitored[self.piece + 1]
            new_rules = self.line.sets[self.piece + 1]
            if new_stay is not before and before is not None:
                self._touch(at)
                for key in list(self.tracks):
                    self._stop(key, at, before.ends_in)
                measured = {code: sample[0] for code, sample in self.last.items()}
                self.away = {**self.away, **measured} if before.ends_in == "paused" else {}
                self.last, self.failed, self.tracks = {}, {}, {}
            elif new_rules is not old and self.tracks:
                self._touch(at)
                for key in list(self.tracks):
                    if not _has(new_rules, key):
                        self._stop(key, at, "rule_removed")
        self._enter(self.piece + 1, at - 1)

    def _stop(self, key: str, at: int, ending: str) -> None:
        """Ends what no reading has ended; the day of it is as much one of an episode as if one had."""
        if self.tracks[key]["open"] is not None:
            for code in self._about(key):
                self.desk.ended(code, at)
        self._close(key, at, ending)

    def _about(self, key: str) -> tuple[str, ...]:
        """Codes whose days an episode of this rule takes out of baselines."""
        rule = self.rules.assessments.get(key)
        if rule is not None:
            return rule.codes
        return (key.split("/")[1],) if key.startswith("threshold/") else ()

    def _close(self, key: str, at: int, ending: str) -> None:
        track = self.tracks.pop(key)
        if track["open"] is not None:
            self._done(key, tracks.end(track, at, ending))

    def _fire(self, at: int) -> None:
        fired = [key for key in sorted(self.tracks) if self.tracks[key].get("timer") == at]
        for key in fired:
            self._touch(at)
            self._put(key, tracks.expire(self.tracks[key], at, self._manner(key)))
            if key.startswith("threshold/"):
                self.desk.exclude(key.split("/")[1], at)
        if fired and self.rules.combined:
            self._look_on(fired, at)
        while self.deadline is not None and self.deadline.at == at:
            if self.monitored is not None:
                self._due(self.monitored, self.deadline)
                self.deadline = self.monitored.schedule.following(self.deadline, self.rules.graces)
        self._look_ahead()

    # Readings -------------------------------------------------------------------------------------

    def reading(self, row: Row) -> None:
        if self.read is not None and self.read[0] != row.at:
            self._assess()
        self.advance(row.at, inclusive=False)
        self._touch(row.at)
        paused = bool(self.line.pauses) and self.line.paused(row.at)
        if row.code in self.kept and not paused:
            self.desk.note(row.at, row.code, row.low, row.high, row.quality, self._is_open(row.code))
        if not row.live:
            if paused and row.low == row.low:
                self.away[row.code] = row.at
            return
        # What the device doubts is no history, and makes nobody look at one.
        if row.low == row.low and row.code in self.rules.assessed and not row.quality & timeline.POOR:
            if self.read is None:
                self.read = (row.at, [])
            self.read[1].append(row.code)
            self.span = (row.low, row.high) if len(self.read[1]) == 1 else (math.nan, math.nan)
        changed = False
        if row.low != row.low:
            self.failed[row.code] = row.at
        else:
            changed = self._measured(row)
        if row.warning is not None:
            changed = self._warned(*row.warning) or changed
        if changed:
            self._look_ahead()

    def _measured(self, row: Row) -> bool:
        code, at = row.code, row.at
        before = self.last.get(code)
        near = before is not None and at - before[0] <= _GAP_US
        red = judged.RED_LOW * (row.low_level == 2) + judged.RED_HIGH * (row.high_level == 2)
        self.last[code] = [at, row.low, row.high, row.quality, red]
        changed = False
        if self.tracks and (key := f"silence/{code}") in self.tracks:
            self._close(key, at, "cleared")
            changed = True
        rule = self.rules.thresholds.get(code)
        close = rule is not None and rule.sampling == "continuous" and near
        persistence = rule.persistence_seconds * _SECOND_US if rule is not None else _NEWS2_PERSISTENCE_US
        self.moment = (
            (at, self.moment[1] and close, max(self.moment[2], persistence))
            if self.moment[0] == at
            else (at, close, persistence)
        )
        if rule is None or not (self.tracks or row.low_level or row.high_level):
            return changed
        lone = not close and (rule.provisional or rule.sampling == "continuous")
        proof = _proof(row.quality, lone=lone)
        for side, level, clears, value in (
            ("low", row.low_level, row.low_clears, row.low),
            ("high", row.high_level, row.high_clears, row.high),
        ):
            key = f"threshold/{code}/{side}"
            if level or key in self.tracks:
                seen = tracks.Seen(level, clears, close, proof, [at, value, row.quality])
                self._put(key, tracks.step(self.tracks.get(key), seen, _threshold_manner(rule, side)))
                changed = True
        return changed

    def _warned(self, level: int, sample: list[Any]) -> bool:
        track = self.tracks.get("news2")
        if track is None and level == 0:
            return False
        inputs = {entry[0]: entry for entry in sample[3]}
        parts = {code for code, entry in inputs.items() if entry[3] > 0} if level else set()
        known = set(track["parts"]) if track is not None else set()
        clears = all(inputs[code][5] and not inputs[code][4] & timeline.POOR for code in known)
        proof = _score_proof([inputs[code] for code in parts], track)
        seen = tracks.Seen(level, clears, self.moment[1], proof, sample)
        stepped = tracks.step(track, seen, self._manner("news2"))
        if stepped is not None:
            stepped = {**stepped, "parts": sorted(known | parts)}
        self._put("news2", stepped)
        return True

    # Histories ------------------------------------------------------------------------------------

    def _assess(self) -> None:
        """Judges the histories of what was read at the moment that is over."""
        if self.read is None:
            return
        at, read = self.read
        self.read = None
        for watch in self.rules.looking_at(read):
            track = self.tracks.get(watch.key)
            if not asked(watch, self.desk, *self.span, watched=track is not None):
                continue
            self._judge(watch, track, at)
        if self.tracks:
            for code in read:
                if self._is_open(code):
                    self.desk.exclude(code, at)

    def _look_on(self, keys: list[str], at: int) -> None:
        """Judges what looks at rules of which time alone has opened one."""
        self.desk.at, self.desk.day = at, book.local_day(self.zone, at)
        for watch in self.rules.combined:
            if not watch.rules.isdisjoint(keys):
                self._judge(watch, self.tracks.get(watch.key), at)

    def _judge(self, watch: rules.Watch, track: tracks.Track | None, at: int) -> None:
        rule = watch.rule
        finding = rule.assess(self.desk)
        if not isinstance(finding, Finding) or (finding.level == 0 and track is None):
            return
        sample = [at, finding.signal, 0]
        stepped = tracks.step(track, tracks.Seen(finding.level, finding.clears, False, tracks.PLAIN, sample), _ASSESSED)
        if stepped is not None and stepped["worst"] is sample:
            # Of the worst moment only what it came to: the readings are those of the opening, and the state is small.
            told = rule.tell(self.desk, finding)
            stepped["told"] = {"sentence": told.sentence, "numbers": told.numbers}
        if stepped is not None and stepped.get("news"):
            opened = stepped["open"]
            stepped["open"] = {**opened, "told": _told(rule.tell(self.desk, finding))}
        self._put(watch.key, stepped)
        if watch.key in self.tracks:
            for code in rule.codes:
                self.desk.exclude(code, at)

    def _open_level(self, key: str) -> int:
        track = self.tracks.get(key)
        return 0 if track is None or track["open"] is None else int(track["open"].get("level", 1))

    def _is_open(self, code: str) -> bool:
        """Whether an episode about the values of this code is open."""
        return any(track["open"] is not None and code in self._about(key) for key, track in self.tracks.items())

    def _due(self, stay: course.Monitored, deadline: schedule.Deadline) -> None:
        rule = self.rules.silences.get(deadline.code)
        sample = self.last.get(deadline.code)
        if rule is None or deadline.due < stay.started_at or _met(self.last, self.away, deadline):
            return
        self._touch(deadline.at)
        key = f"silence/{deadline.code}"
        track = self.tracks.get(key)
        attempt = self.failed.get(deadline.code)
        told = {"level_name": "late" if deadline.late else "missing", "level_at": deadline.at}
        if track is None:
            track = {
                "timer": None,
                "missed": 0,
                "due": deadline.due,
                "last": None if sample is None else sample[0],
                "open": {
                    "started_at": deadline.at,
                    "priority": rule.late_priority if deadline.late else rule.priority,
                    "rule": reasons.silence_rule(self.rules, rule, deadline),
                    **told,
                },
            }
        elif deadline.late:
            return  # what is missing already is not late
        elif track["open"].get("level_name") == "late":
            rules_now = reasons.silence_rule(self.rules, rule, deadline)
            risen = {**track["open"], **told}
            track = {**track, "open": _risen(risen, {"rule": rules_now}, rule.priority)}
        counted = track.get("counted") == deadline.due
        self.tracks[key] = {
            **track,
            "missed": track["missed"] + (not counted),
            "missed_at": deadline.at,
            "counted": deadline.due,
            "failed": attempt if attempt is not None and attempt >= deadline.counts_from else track.get("failed"),
        }

    # Tracks ---------------------------------------------------------------------------------------

    def _manner(self, key: str) -> tracks.Manner:
        if key == "news2":
            return tracks.Manner(0, 1800 * _SECOND_US, max(self.moment[2], _SECOND_US), 1)
        if key in self.rules.assessments:
            return _ASSESSED
        _, code, side = key.split("/")
        return _threshold_manner(self.rules.thresholds[code], side)

    def _put(self, key: str, track: tracks.Track | None) -> None:
        if track is None:
            self.tracks.pop(key, None)
            return
        if track["open"] is not None and "ended_at" in track["open"]:
            self.tracks.pop(key, None)
            self._done(key, track)
            return
        opened = track["open"]
        if track.pop("news", False) and opened is not None:
            track["open"] = self._with_rule(key, opened)
        self.tracks[key] = track

    def _with_rule(self, key: str, opened: dict[str, Any]) -> dict[str, Any]:
        level = opened["level"]
        if key == "news2":
            rule = self.rules.news2
            assert rule is not None  # a score is only judged where there is a rule for it
            told = reasons.news2_rule(self.rules, rule)
            name = _NEWS2_LEVELS[level]
            priority = (rule.single_priority, rule.urgent_priority, rule.emergency_priority)[level - 1]
        elif (assessment := self.rules.assessments.get(key)) is not None:
            told = reasons.assessment_rule(self.rules, assessment)
            name = _LEVELS[level]
            priority = assessment.red_priority if name == "red" else assessment.amber_priority
        else:
            _, code, side = key.split("/")
            threshold = self.rules.thresholds[code]
            told = reasons.threshold_rule(self.rules, threshold, side, opened["trigger"][0], self.zone)
            name = _LEVELS[level]
            priority = threshold.red_priority if name == "red" else threshold.amber_priority
        return _risen(opened, {"rule": told, "level_name": name}, priority)

    def _done(self, key: str, track: tracks.Track) -> None:
        self.episodes.append(reasons.episode(self.resident, key, track, self.zone))

    # The end --------------------------------------------------------------------------------------

    def finish(self, end: int) -> tuple[tuple[Episode, ...], int | None]:
        """Fires what time alone brings up to `end`; the episodes, and when to look again."""
        self._assess()
        self.advance(end, inclusive=True)
        for key, track in self.tracks.items():
            if track["open"] is not None:
                self._done(key, track)
        self.episodes.sort(key=lambda episode: (episode.started_at, episode.rule))
        timers = [track["timer"] for track in self.tracks.values() if track.get("timer") is not None]
        return tuple(self.episodes), wake(self.monitored, self.rules, self.last, self.away, self.cut, timers, end)


def asked(watch: rules.Watch, desk: book.Desk, low: float, high: float, *, watched: bool) -> bool:
    """Whether an assessment can find anything new. low, high: of the only value that was read, else NaN."""
    if watch.by_day and not desk.turned(watch.codes):
        return False
    return watched or not (watch.calm_from <= low and high <= watch.calm_to)


def _risen(opened: dict[str, Any], told: dict[str, Any], priority: Priority | None) -> dict[str, Any]:
    """What is open, with a priority that never eases, and since when it has which where it rose."""
    before = opened.get("priority")
    now = _worse(before, priority)
    if before is None or now == before:
        return {**opened, **told, "priority": now}
    first = opened.get("rose") or [[before, opened["started_at"]]]
    return {**opened, **told, "priority": now, "rose": [*first, [now, opened["level_at"]]]}


def _told(told: Told) -> dict[str, Any]:
    return {"sentence": told.sentence, "inputs": told.inputs, "numbers": told.numbers}


def wake(
    stay: course.Monitored | None,
    rule_set: rules.RuleSet,
    last: Mapping[str, Any],
    away: Mapping[str, int],
    cut: int | None,
    timers: list[int],
    end: int,
) -> int | None:
    """The next time after `end` at which something could happen without a reading."""
    times = list(timers)
    if cut is not None:
        times.append(cut)
    if stay is not None:
        deadline = next_deadline(stay, rule_set, last, away, end)
        if deadline is not None:
            times.append(deadline.at)
    return min(times, default=None)


def next_deadline(
    stay: course.Monitored, rule_set: rules.RuleSet, last: Mapping[str, Any], away: Mapping[str, int], after: int
) -> schedule.Deadline | None:
    """The first deadline after a time that no reading has met yet."""
    deadline = stay.schedule.after(after, rule_set.graces)
    for _ in range(100):
        if deadline is None or (deadline.due >= stay.started_at and not _met(last, away, deadline)):
            return deadline
        deadline = stay.schedule.following(deadline, rule_set.graces)
    return deadline


def _met(last: Mapping[str, Any], away: Mapping[str, int], deadline: schedule.Deadline) -> bool:
    """Whether it was measured in time for what was due then, be it in a pause that was over before or before one."""
    sample = last.get(deadline.code)
    if sample is not None and sample[0] >= deadline.counts_from:
        return True
    return away.get(deadline.code, deadline.counts_from - 1) >= deadline.counts_from


def _has(rule_set: rules.RuleSet, key: str) -> bool:
    kind, _, rest = key.partition("/")
    if kind == "news2":
        return rule_set.news2 is not None
    if kind == "silence":
        return rest in rule_set.silences
    if kind != "threshold":
        return key in rule_set.assessments
    code, _, side = rest.partition("/")
    rule = rule_set.thresholds.get(code)
    return rule is not None and rule.has(side)


def _threshold_manner(rule: rules.Threshold, side: str) -> tracks.Manner:
    return tracks.Manner(
        1, rule.repeat_seconds * _SECOND_US, rule.persistence_seconds * _SECOND_US, -1 if side == "low" else 1
    )


def _proof(quality: int, *, lone: bool) -> int:
    if quality & timeline.POOR:
        return tracks.POOR
    return tracks.EXTREME if lone or quality & timeline.EXTREME else tracks.PLAIN


def _score_proof(entries: list[list[Any]], track: tracks.Track | None) -> int:
    """A score is as good as what it scores for; the same extreme reading seen again proves nothing more."""
    if any(entry[4] & timeline.POOR for entry in entries):
        return tracks.POOR
    extreme = [entry for entry in entries if entry[4] & timeline.EXTREME]
    if not extreme:
        return tracks.PLAIN
    again = track is not None and any(entry[2] <= track["first"][0] for entry in extreme)
    return tracks.POOR if again else tracks.EXTREME


def _worse(one: Priority | None, other: Priority | None) -> Priority:
    if one is None or other is None:
        return one or other or "low"
    return one if RANK[one] >= RANK[other] else other
