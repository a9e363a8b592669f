"""Where the simulator is that runs beside this service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Simulator:
    """url: of its control API, once it has said so. token: lets its holder steer it."""

    url: str | None
    token: str
