"""Illnesses as data: what happens to each vital sign over the hours from onset (TOML in scenarios/)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources
from typing import Any

import numpy as np

from simulator import clock, errors
from simulator.bodies import physiology
from simulator.noise import Floats, Integers


@dataclass(frozen=True)
class Scenario:
    """offsets: by code, hours from onset and sizes; linear between, held after the last. states: (hour, value)."""

    name: str
    title: str
    description: str
    peak_hours: float
    offsets: dict[str, tuple[tuple[float, ...], tuple[float, ...]]]
    states: dict[str, tuple[tuple[float, str | bool | int], ...]]


@dataclass(frozen=True)
class Course:
    """A scenario that began at a time in one resident."""

    scenario: Scenario
    onset: datetime

    def offset(self, code: str, times_ms: Integers) -> Floats:
        if code not in self.scenario.offsets:
            return np.zeros(len(times_ms), dtype=np.float64)
        hours, sizes = self.scenario.offsets[code]
        since = (times_ms - clock.to_ms(self.onset)).astype(np.float64) / physiology.HOUR
        return np.interp(since, hours, sizes, left=0.0)

    def state(self, code: str, at_ms: int) -> str | bool | int | None:
        since = (at_ms - clock.to_ms(self.onset)) / physiology.HOUR
        reached = [value for hour, value in self.scenario.states.get(code, ()) if hour <= since]
        return reached[-1] if reached else None

    @property
    def peak(self) -> datetime:
        return self.onset + timedelta(hours=self.scenario.peak_hours)

    def truth(self, resident: str, seed: int, devices: list[str]) -> dict[str, Any]:
        """What really happened, for scoring: written apart from the readings, never sent."""
        return {
            "resident": resident,
            "scenario": self.scenario.name,
            "seed": seed,
            "onset": clock.text(self.onset),
            "peak": clock.text(self.peak),
            "devices": devices,
        }


def names() -> list[str]:
    """The packaged scenarios."""
    folder = resources.files("simulator") / "scenarios"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load(name: str) -> Scenario:
    """A packaged scenario. Raises BadInput naming the ones that there are."""
    if name not in names():
        raise errors.BadInput(f"no scenario of this name; there are: {', '.join(names())}")
    return parse((resources.files("simulator") / "scenarios" / f"{name}.toml").read_text("utf-8"))


def parse(text: str) -> Scenario:
    """Raises BadInput where the text is not a scenario."""
    try:
        data = tomllib.loads(text)
        offsets = {str(v["code"]): _curve(v["hours"], v["offset"]) for v in data.get("vital", [])}
        states = {
            str(entry["code"]): tuple(
                (float(hour), value) for hour, value in zip(entry["hours"], entry["value"], strict=True)
            )
            for entry in data.get("state", [])
        }
        unknown = [code for code in (*offsets, *states) if not physiology.known(code)]
        if unknown:
            raise errors.BadInput(f"the scenario names codes that cannot be simulated: {', '.join(unknown)}")
        return Scenario(
            data["name"], data["title"], data["description"].strip(), float(data["peak_hours"]), offsets, states
        )
    except (KeyError, TypeError, ValueError) as error:
        raise errors.BadInput(f"not a scenario: {error}") from None


def _curve(hours: list[float], sizes: list[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if len(hours) != len(sizes) or list(hours) != sorted(hours) or not hours:
        raise ValueError("hours and offset must have the same length, and hours must rise")
    return tuple(float(hour) for hour in hours), tuple(float(size) for size in sizes)
