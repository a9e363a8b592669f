"""The live table of a run on a terminal: residents, devices, sent, receipted, refused, faults."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from simulator import cast, clock, publisher

#: A terminal shows so many residents; the others are counted.
ROWS = 40


@dataclass(frozen=True)
class Shown:
    """Where the table is drawn: a rich console."""

    console: Any


@contextlib.contextmanager
def live(
    shown: Shown | None, found: cast.Cast, sender: publisher.Publisher, now: Callable[[], datetime]
) -> Iterator[None]:
    """Draws while the block runs; nothing without a terminal."""
    if shown is None:
        yield
        return
    from rich.live import Live

    class Drawn:
        def __rich__(self) -> Any:
            return drawn(found, sender, now())

    with Live(Drawn(), console=shown.console, refresh_per_second=4, transient=False):
        yield


def drawn(found: cast.Cast, sender: publisher.Publisher, at: datetime) -> Any:
    """The table as it stands."""
    from rich.table import Table

    made = Table(title=f"{clock.text(at)}   {sender.connected} of {len(found.maker.device_ids)} devices connected")
    for name in ("Resident", "Illness", "Devices", "Faults"):
        made.add_column(name, overflow="fold")
    for name in ("Sent", "Receipted", "Refused"):
        made.add_column(name, justify="right")
    at_ms = clock.to_ms(at)
    residents = list(dict.fromkeys(unit.person.key for unit in found.units))
    for resident in residents[:ROWS]:
        units = [unit for unit in found.units if unit.person.key == resident]
        ill = ", ".join(f"{one.scenario.name} {one.phase(at_ms) or ''}".strip() for one in units[0].courses)
        wrong = {
            fault.kind
            for fault in found.script.all()
            if fault.active(at_ms) and any(fault.target in unit.targets for unit in units)
        }
        names = dict.fromkeys(unit.device_id for unit in units)
        devices = " ".join(name if sender.is_connected(name) else f"({name})" for name in names)
        counts = [sender.counts(name) for name in names]
        taken, settled, refused = (
            sum(getattr(one, field) for one in counts) for field in ("taken", "settled", "refused")
        )
        made.add_row(resident, ill, devices, ", ".join(sorted(wrong)), str(taken), str(settled), str(refused))
    totals = sender.totals
    more = f"and {len(residents) - ROWS} more" if len(residents) > ROWS else ""
    made.caption = f"{totals.taken} sent, {totals.settled} receipted, {totals.refused} refused {more}".strip()
    return made
