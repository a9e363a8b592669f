"""All faults of a run. It changes only between steps, so that what is made is a function of it."""

from __future__ import annotations

from collections.abc import Iterable

from simulator import errors
from simulator.homes import catalogue
from simulator.homes.faults import Fault

#: More than these at once would be a mistake.
MOST = 20_000


class Script:
    """Faults by what they befall."""

    def __init__(self, found: Iterable[Fault] = ()) -> None:
        self._faults: dict[str, Fault] = {}
        self._by_target: dict[str, dict[str, Fault]] = {}
        self._of: dict[tuple[frozenset[str], str], tuple[Fault, ...]] = {}
        for fault in found:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Also replaces the one of the same id. Raises BadInput when there are too many."""
        if len(self._faults) >= MOST and fault.id not in self._faults:
            raise errors.BadInput("there are too many faults at once")
        if fault.id in self._faults:
            self.remove(fault.id)
        self._faults[fault.id] = fault
        self._by_target.setdefault(fault.target, {})[fault.id] = fault
        self._of.clear()

    def end(self, name: str, at_ms: int) -> Fault:
        """Over from then on. Raises BadInput if there is none of this id."""
        if name not in self._faults:
            raise errors.BadInput("there is no fault of this id")
        self.add(self._faults[name].ended(at_ms))
        return self._faults[name]

    def remove(self, name: str) -> None:
        """As if it had never been; for what was only planned."""
        fault = self._faults.pop(name, None)
        if fault is not None:
            self._by_target[fault.target].pop(name)
            self._of.clear()

    def all(self) -> list[Fault]:
        return list(self._faults.values())

    def of(self, targets: frozenset[str], stage: catalogue.Stage) -> tuple[Fault, ...]:
        """The faults of one stage that befall a device (its targets), in the order of their ids."""
        found = self._of.get((targets, stage))
        if found is None:
            every = {name: fault for target in targets for name, fault in self._by_target.get(target, {}).items()}
            found = tuple(every[name] for name in sorted(every) if catalogue.KINDS[every[name].kind].stage == stage)
            self._of[targets, stage] = found
        return found
