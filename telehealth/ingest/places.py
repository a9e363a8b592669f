"""The service's sessions at the broker: their client ids, and what each asks for.

The readings of all devices are shared out (MQTT 5) over slots, each with a live and a backlog session. A
slot's share waits at the broker until its client ids return; so whoever finds a slot without a
process takes it, and a slot that is no longer used is emptied and ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from devices import topics
from telehealth.model.delivery import Lane

#: Of leases, and so of slots: ingest-0, ingest-1, ...
WORK = "ingest"
#: The sessions of versions that had one process only.
BEFORE = f"{WORK}-before"
#: What versions before called their shares.
FORMER_GROUP = "telehealth"

_LANES: tuple[Lane, ...] = ("live", "backlog")


@dataclass(frozen=True)
class Place:
    """A session. number: of its slot; None for one of an earlier version.

    groups: what the service's shares are called: the present name, which nobody else knows, then former ones. Whoever
    knew it could join, and Mosquitto's topic files then lose what falls to them.
    """

    lane: Lane
    number: int | None
    groups: tuple[str, ...] = field(default=(), repr=False)

    @property
    def client_id(self) -> str:
        suffix = "" if self.number is None else f"-{self.number}"
        return f"telehealth-ingest-{self.lane}{suffix}"

    def wanted(self, *, shares: bool) -> tuple[str, ...]:
        """What to subscribe to. Status is not shared: one slot hears all of it, retained ones too."""
        found = self._shared(self.groups[:1]) if shares else self._plain
        return found + topics.filters("status") if self.number == 0 and self.lane == "live" else found

    def unwanted(self, *, shares: bool) -> tuple[str, ...]:
        """What an earlier life of this session may have subscribed to, and shall not any more."""
        return self._plain + self._shared(self.groups[1:]) if shares else ()

    def everything(self, *, shares: bool) -> tuple[str, ...]:
        """All that this session can have subscribed to."""
        return self._plain + topics.filters("status") + (self._shared(self.groups) if shares else ())

    @property
    def _plain(self) -> tuple[str, ...]:
        return topics.filters("readings" if self.lane == "live" else "backlog")

    def _shared(self, groups: Iterable[str]) -> tuple[str, ...]:
        return tuple(f"$share/{group}-{self.lane}/{topic}" for group in groups for topic in self._plain)


def of_slot(name: str, groups: Iterable[str]) -> tuple[Place, ...]:
    """The sessions of a slot, by the name of its lease. groups: as Place has them."""
    number = number_of(name)
    return tuple(Place(lane, number, tuple(groups)) for lane in _LANES)


def slot(number: int) -> str:
    return f"{WORK}-{number}"


def number_of(name: str) -> int | None:
    """The number of a slot; None for the sessions of earlier versions."""
    return None if name == BEFORE else int(name.rpartition("-")[2])
