"""What is in force when: monitored time (spells without pauses) and rule versions as one line of pieces."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from alerts import errors, rules, schedule

_NOTHING = rules.RuleSet("none", "0", ())


@dataclass(frozen=True, slots=True)
class Spell:
    """A stay on the virtual ward, [started_at, ended_at), and what is expected in it."""

    started_at: int
    ended_at: int | None
    schedule: schedule.Schedule


@dataclass(frozen=True, slots=True, eq=False)
class Monitored:
    """A stretch [started_at, ended_at) without a pause within one spell."""

    started_at: int
    ended_at: int | None
    schedule: schedule.Schedule
    ends_in: str  #: paused or discharged


@dataclass(frozen=True, slots=True)
class Course:
    """Piece p holds from cuts[p - 1] (piece 0: from ever) to cuts[p]."""

    cuts: tuple[int, ...]
    monitored: tuple[Monitored | None, ...]
    sets: tuple[rules.RuleSet, ...]
    pauses: tuple[tuple[int, int | None], ...] = ()

    def piece(self, at: int) -> int:
        """The piece that an event at this time belongs to."""
        return bisect.bisect_right(self.cuts, at)

    def paused(self, at: int) -> bool:
        """Whether monitoring is paused then, within a stay or not: what was measured is no history."""
        return any(start <= at and (stop is None or at < stop) for start, stop in self.pauses)


def lay(
    versions: Sequence[tuple[int, rules.RuleSet]], spells: Sequence[Spell], pauses: Sequence[tuple[int, int | None]]
) -> Course:
    """A pause holds as long as it says, whatever stays begin or end in it. Raises InputError when spells overlap."""
    if len(spells) == 1 and len(versions) == 1 and not pauses:
        return _plain(versions[0], spells[0])
    pauses = tuple(
        sorted(
            ((start, stop) for start, stop in pauses if stop is None or start < stop),
            key=lambda pause: (pause[0], pause[1] is None, pause[1] or 0),
        )
    )
    stretches = _stretches(spells, pauses)
    starts = sorted(versions, key=lambda version: version[0])
    cuts = {at for at, _ in starts}
    for stretch in stretches:
        cuts.add(stretch.started_at)
        if stretch.ended_at is not None:
            cuts.add(stretch.ended_at)
    ordered = tuple(sorted(cuts))
    moments: list[int | None] = [None, *ordered]
    return Course(
        ordered,
        tuple(None if at is None else _monitored_at(stretches, at) for at in moments),
        tuple(_NOTHING if at is None else _set_at(starts, at) for at in moments),
        pauses,
    )


def _plain(version: tuple[int, rules.RuleSet], spell: Spell) -> Course:
    """One spell, one version, no pause: nearly everybody."""
    valid_from, rule_set = version
    stay = Monitored(spell.started_at, spell.ended_at, spell.schedule, "discharged")
    if valid_from > spell.started_at and (spell.ended_at is None or valid_from < spell.ended_at):
        cuts: tuple[int, ...] = (spell.started_at, valid_from)
        stays: tuple[Monitored | None, ...] = (None, stay, stay)
        sets: tuple[rules.RuleSet, ...] = (_NOTHING, _NOTHING, rule_set)
    else:
        in_force = rule_set if valid_from <= spell.started_at else _NOTHING
        cuts, stays, sets = (spell.started_at,), (None, stay), (in_force, in_force)
    if spell.ended_at is not None:
        cuts, stays, sets = (*cuts, spell.ended_at), (*stays, None), (*sets, sets[-1])
    return Course(cuts, stays, sets)


def _stretches(spells: Sequence[Spell], pauses: Sequence[tuple[int, int | None]]) -> list[Monitored]:
    result: list[Monitored] = []
    for spell in sorted(spells, key=lambda spell: spell.started_at):
        if result and (result[-1].ended_at is None or result[-1].ended_at > spell.started_at):
            raise errors.InputError("the spells of a resident overlap")
        start: int = spell.started_at
        whole = True
        for paused_from, paused_to in pauses:
            if paused_to is not None and paused_to <= start:
                continue
            if spell.ended_at is not None and paused_from >= spell.ended_at:
                break
            if paused_from > start:
                result.append(Monitored(start, paused_from, spell.schedule, "paused"))
            if paused_to is None or (spell.ended_at is not None and paused_to >= spell.ended_at):
                whole = False
                break
            start = paused_to
        if whole:
            result.append(Monitored(start, spell.ended_at, spell.schedule, "discharged"))
    return result


def _monitored_at(stretches: list[Monitored], at: int) -> Monitored | None:
    for stretch in stretches:
        if stretch.started_at <= at and (stretch.ended_at is None or at < stretch.ended_at):
            return stretch
    return None


def _set_at(starts: list[tuple[int, rules.RuleSet]], at: int) -> rules.RuleSet:
    position = bisect.bisect_right(starts, at, key=lambda version: version[0])
    return starts[position - 1][1] if position else _NOTHING
