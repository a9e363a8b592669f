"""What a caller does, as TOML: when they come, what they do in the call, how good their network is."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final

from simulator import errors
from simulator.wire import Line

#: What can be done in the call, and whether a value comes with it.
ACTS: Final[Mapping[str, str | None]] = {
    "mute": None,
    "unmute": None,
    "hide": None,
    "show": None,
    "quiet": None,
    "talk": None,
    "hand_up": None,
    "hand_down": None,
    "consent": None,
    "withdraw": None,
    "say": "text",
    "cut": "seconds",
    "rebind": None,
    "drop": "seconds",
    "leave": None,
}
_CHECK: Final[Mapping[str, tuple[str, ...]]] = {
    "camera": ("ok", "none", "refused", "failed"),
    "microphone": ("ok", "none", "refused", "failed"),
    "speaker": ("ok", "failed", "not_heard"),
    "network": ("ok", "slow", "failed"),
    "relay": ("ok", "failed", "not_tried"),
}
_GOOD = {"camera": "ok", "microphone": "ok", "speaker": "ok", "network": "ok", "relay": "not_tried"}
_MOST_ACTS = 1000


@dataclass(frozen=True)
class Act:
    """at: seconds since media flowed first. value: the text of say, the seconds of cut and drop."""

    at: float
    do: str
    value: str | float | None = None


@dataclass(frozen=True)
class Script:
    """late: seconds until the link is opened. network: None is as good as this computer's own."""

    title: str = "Comes, talks and stays"
    late: float = 0.0
    reason: str = ""
    consents: bool = True
    patience: float = 600.0
    stay: float | None = None
    check: Mapping[str, str] = field(default_factory=lambda: dict(_GOOD))
    network: Line | None = None
    acts: tuple[Act, ...] = ()


def load(name: str) -> Script:
    """A packaged script by its name, or a file. Raises BadInput."""
    path = Path(name)
    try:
        if "/" not in name and not name.endswith(".toml"):
            text = resources.files("simulator.callers").joinpath("scripts", f"{name}.toml").read_text("utf-8")
        else:
            text = path.read_text("utf-8")
    except (OSError, UnicodeError):
        raise errors.BadInput(f"no script {path.name}: packaged are {', '.join(names())}") from None
    return parse(text)


def names() -> list[str]:
    """Of the packaged scripts."""
    folder = resources.files("simulator.callers").joinpath("scripts")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def parse(text: str) -> Script:
    """Raises BadInput naming what is wrong."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise errors.BadInput(f"script: {error}") from None
    known = {"title", "late", "reason", "consents", "patience", "stay", "check", "network", "then"}
    if strange := sorted(set(found) - known):
        raise errors.BadInput(f"script: {strange[0]} is not known")
    usual = Script()
    return Script(
        title=_text(found, "title", usual.title),
        late=_seconds(found, "late", usual.late),
        reason=_text(found, "reason", usual.reason),
        consents=_truth(found, "consents", usual.consents),
        patience=_seconds(found, "patience", usual.patience),
        stay=_seconds(found, "stay", 0.0) if "stay" in found else None,
        check=_check(_table(found, "check")),
        network=_network(_table(found, "network")) if "network" in found else None,
        acts=_acts(found.get("then", [])),
    )


def _check(found: Mapping[str, Any]) -> Mapping[str, str]:
    for name, value in found.items():
        if value not in _CHECK.get(name, ()):
            raise errors.BadInput(f"script: check.{name} is not one of {', '.join(_CHECK.get(name, ())) or 'ours'}")
    return {**_GOOD, **found}


def _network(found: Mapping[str, Any]) -> Line:
    """Percent, packets, milliseconds and kbit/s, as of `telehealth-sim impair`."""
    if strange := sorted(set(found) - {"loss", "burst", "delay", "jitter", "reorder", "rate", "queue"}):
        raise errors.BadInput(f"script: network.{strange[0]} is not known")
    return Line(
        loss=_seconds(found, "loss", 0.0) / 100,
        burst=_seconds(found, "burst", 1.0),
        delay=_seconds(found, "delay", 0.0) / 1e3,
        jitter=_seconds(found, "jitter", 0.0) / 1e3,
        reorder=_truth(found, "reorder", False),
        rate=_seconds(found, "rate", 0.0) * 1e3 or None,
        queue=_seconds(found, "queue", 500.0) / 1e3,
    )


def _acts(found: Any) -> tuple[Act, ...]:
    if not isinstance(found, list) or len(found) > _MOST_ACTS or not all(isinstance(each, dict) for each in found):
        raise errors.BadInput(f"script: then must be tables, at most {_MOST_ACTS}")
    return tuple(sorted((_act(each) for each in found), key=lambda act: act.at))


def _act(found: Mapping[str, Any]) -> Act:
    do = found.get("do")
    if not isinstance(do, str) or do not in ACTS:
        raise errors.BadInput(f"script: do must be one of {', '.join(ACTS)}")
    wanted = ACTS[do]
    if strange := sorted(set(found) - {"at", "do", wanted}):
        raise errors.BadInput(f"script: {do} does not take {strange[0]}")
    if "at" not in found or (wanted is not None and wanted not in found):
        raise errors.BadInput(f"script: {do} needs at{'' if wanted is None else ' and ' + wanted}")
    value: str | float | None = None
    if wanted == "text":
        value = _text(found, "text", "")
    elif wanted == "seconds":
        value = _seconds(found, "seconds", 0.0)
    return Act(_seconds(found, "at", 0.0), do, value)


def _table(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = found.get(name, {})
    if not isinstance(value, dict):
        raise errors.BadInput(f"script: {name} must be a table")
    return value


def _text(found: Mapping[str, Any], name: str, usual: str) -> str:
    value = found.get(name, usual)
    if not isinstance(value, str) or len(value) > 200:
        raise errors.BadInput(f"script: {name} must be text of at most 200 characters")
    return value


def _truth(found: Mapping[str, Any], name: str, usual: bool) -> bool:
    value = found.get(name, usual)
    if not isinstance(value, bool):
        raise errors.BadInput(f"script: {name} must be true or false")
    return value


def _seconds(found: Mapping[str, Any], name: str, usual: float) -> float:
    value = found.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e6:
        raise errors.BadInput(f"script: {name} must be a number from 0")
    return float(value)
