"""Symptoms and signs: the latest answers added up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

from alerts import codes, errors, limits, moments, telling, timeline
from alerts.kinds import base, window
from alerts.kinds.base import Finding, Keep, Refusal, Sample, Told, View

#: Answers from 0 to 10, of which greater is worse.
_SCORES = ("breathlessness", "pain")
_MOST_CODES = 10
#: Of the words for the resident: what a small screen shows at once.
MOST_LETTERS = 300


class _Answers(NamedTuple):
    fresh: list[tuple[str, Sample]]
    old: list[tuple[str, Sample]]  #: too old to count, or doubted by the device; nothing newer is known
    missing: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom(base.Assessment):
    """Signal: the sum of the latest answers of this stay that are not older than max_age_hours: yes is 1, no is 0,
    a score is itself. A level is reached at its limit ("from 4 on"), not beyond it.
    """

    kind: ClassVar[str] = "symptom"

    codes: tuple[str, ...] = dataclasses.field()
    max_age_hours: int = 24
    resident_text: str | None = None  #: shown by the resident's devices when the rule becomes red by their own answer

    @property
    def keeps(self) -> Keep:
        return Keep(0, 0)

    @property
    def title(self) -> str:
        return codes.BY_KEY[self.codes[0]].name if len(self.codes) == 1 else self.name.replace("_", " ").capitalize()

    def assess(self, view: View) -> Finding | Refusal:
        oldest = view.at - self.max_age_hours * window.HOUR_US
        total = held = 0.0
        fresh, doubted = 0, False
        for code in self.codes:
            sample = view.last(code)
            if sample is None:
                continue
            held += sample.value
            doubted = doubted or bool(sample.quality & timeline.POOR)
            if sample.at >= oldest and not sample.quality & timeline.POOR:
                total += sample.value
                fresh += 1
        if fresh == 0:
            return self._refusal(view)
        # An answer that has grown too old counts no more, but ends nothing either; nor does a doubted one.
        clears = not doubted and held < telling.lower(self.amber, self.red) - self.hysteresis
        return Finding(self._level(total), total, clears)

    def tell(self, view: View, finding: Finding) -> Told:
        answers = self._answers(view)
        limit = telling.limit_at(finding.level, self.amber, self.red)
        worst = sorted(answers.fresh, key=lambda answer: -answer[1].value)
        present = [
            f"{codes.BY_KEY[code].name}{':' * (code in codes.YES_NO)} {codes.shown(code, sample.value)} at "
            f"{moments.clock(sample.at, view.zone, view.at)}"
            for code, sample in worst
            if sample.value > 0
        ]
        listed = "; ".join(present) or "none of them present"
        if len(self.codes) == 1:
            sentence = listed if self.codes[0] in codes.YES_NO else f"{listed}, {_from(finding, limit)}"
        else:
            sentence = f"{self.title} adds up to {telling.limit(finding.signal)}, {_from(finding, limit)}: {listed}"
        unknown = [codes.inner(code) for code, _ in answers.old] + [codes.inner(code) for code in answers.missing]
        if unknown:
            sentence += f"; not counted, no fresh answer: {'; '.join(unknown)}"
        return Told(
            sentence,
            [{**telling.reading(code, sample, view.at), "fresh": True} for code, sample in answers.fresh]
            + [{**telling.reading(code, sample, view.at), "fresh": False} for code, sample in answers.old],
            {"sum": telling.tidy(finding.signal), "limit": limit, "missing": answers.missing},
        )

    def clears_when(self) -> str:
        back = telling.limit(telling.lower(self.amber, self.red) - self.hysteresis)
        if len(self.codes) > 1:
            return f"answers that add up to less than {back}"
        name = codes.inner(self.codes[0])
        return (
            f"the answer no to: {name}" if self.codes[0] in codes.YES_NO else f"{name} answered with less than {back}"
        )

    @classmethod
    def parse(cls, entry: Mapping[str, Any], where: str) -> Self:
        found = entry.get("codes")
        if not isinstance(found, list | tuple) or not 1 <= len(found) <= _MOST_CODES:
            raise errors.RuleError(
                f"{where}.codes", f"must be a list of 1 to {_MOST_CODES} codes of symptoms and signs"
            )
        signs = tuple(_sign(code, f"{where}.codes") for code in found)
        if len(set(signs)) < len(signs):
            raise errors.RuleError(f"{where}.codes", "names a code twice")
        shared = base.common(cls, entry, where, name="_".join(signs)[:40])
        base.ordered(shared["amber"], shared["red"], where)
        most = sum(10 if code in _SCORES else 1 for code in signs)
        for key in ("amber", "red"):
            if shared[key] is not None and shared[key] > most:
                raise errors.RuleError(f"{where}.{key}", f"can never be reached: the answers add up to at most {most}")
        if telling.lower(shared["amber"], shared["red"]) - shared["hysteresis"] <= 0:
            raise errors.RuleError(f"{where}.hysteresis", "is too wide: an alert could never clear")
        return cls(
            **shared,
            codes=signs,
            max_age_hours=limits.seconds(entry, "max_age_hours", where, 24, 1, 24 * 31),
            resident_text=_words(entry, where, red=shared["red"]),
        )

    def _level(self, total: float) -> int:
        if self.red is not None and total >= self.red:
            return 2
        return 1 if self.amber is not None and total >= self.amber else 0

    def _answers(self, view: View) -> _Answers:
        oldest = view.at - self.max_age_hours * window.HOUR_US
        answers = _Answers([], [], [])
        for code in self.codes:
            sample = view.last(code)
            if sample is None:
                answers.missing.append(code)
            elif sample.at >= oldest and not sample.quality & timeline.POOR:
                answers.fresh.append((code, sample))
            else:
                answers.old.append((code, sample))
        return answers

    def _refusal(self, view: View) -> Refusal:
        names = " or ".join(codes.inner(code) for code in self.codes)
        if all(view.last(code) is None for code in self.codes):
            return Refusal("too_few", f"a first answer about {names} in this stay")
        return Refusal("too_old", f"an answer about {names} within {window.hours(self.max_age_hours)}")


def _sign(value: object, where: str) -> str:
    if not isinstance(value, str) or value not in codes.INDEX:
        raise errors.RuleError(where, "names a code that is not known")
    if value == "wellbeing":
        raise errors.RuleError(where, "wellbeing is better when it is greater and cannot be added up: use a threshold")
    if value not in _SCORES and (value not in codes.YES_NO or value == "on_oxygen"):
        raise errors.RuleError(where, f"{codes.BY_KEY[value].name} is no symptom or sign")
    return value


def _words(entry: Mapping[str, Any], where: str, *, red: float | None) -> str | None:
    """What the resident's devices show. Raises RuleError."""
    value = entry.get("resident_text")
    if value is None:
        return None
    field = f"{where}.resident_text"
    if not isinstance(value, str) or not any(letter.isalpha() for letter in value):
        raise errors.RuleError(field, "must be words for the resident, in quotes; leave it out where there are none")
    if len(value) > MOST_LETTERS:
        raise errors.RuleError(
            field, f"is {len(value)} characters long: a device's screen shows at most {MOST_LETTERS}"
        )
    if not value.isprintable() or value != value.strip():
        raise errors.RuleError(field, "must be on one line, without spaces around it or signs that cannot be shown")
    if red is None:
        raise errors.RuleError(field, "needs a red limit: devices show it when the rule becomes red")
    return value


def _from(finding: Finding, limit: float) -> str:
    return f"{telling.limit(limit)} or more" if finding.level else f"less than {telling.limit(limit)}"
