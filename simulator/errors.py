"""Errors of the simulator. Each message is one line for the person who started it.

SimulatorError
├── BadInput      a file or an option cannot be used (exit status 2)
├── Refused       the broker or the service said no (exit status 1; 2 where an option caused it)
└── Unreachable   the broker or the service is away
"""

from __future__ import annotations


class SimulatorError(Exception):
    """Something went wrong in the simulator."""

    status = 1


class BadInput(SimulatorError):
    """A file or an option cannot be used."""

    status = 2


class Refused(SimulatorError):
    """The broker or the service said no."""


class Unreachable(SimulatorError):
    """The broker or the service cannot be reached."""
