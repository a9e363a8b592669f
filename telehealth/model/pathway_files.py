"""Pathways of the hospital's own: TOML files in one directory, TELEHEALTH_PATHWAYS_DIR."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from alerts import errors as alert_errors
from alerts import pathways
from alerts.pathways.model import Pathway
from telehealth.errors import Invalid, SettingError

_MOST_FILES = 500


def listing(directory: str | None) -> Mapping[Path, Pathway | alert_errors.RuleError]:
    """Every file with its pathway, or with what is wrong with it; by name."""
    if directory is None:
        return {}
    try:
        files = sorted(Path(directory).glob("*.toml"))
        if not Path(directory).is_dir():
            raise SettingError("TELEHEALTH_PATHWAYS_DIR", "is not a directory")
    except OSError:
        raise SettingError("TELEHEALTH_PATHWAYS_DIR", "cannot be read") from None
    found: dict[Path, Pathway | alert_errors.RuleError] = {}
    for file in files[:_MOST_FILES]:
        try:
            found[file] = pathways.read(file)
        except alert_errors.RuleError as error:
            found[file] = error
    return found


def find(directory: str | None, name: str, version: str | None = None) -> Pathway:
    """A packaged pathway, or one of the directory. version None: the newest packaged one, or the only local one.

    Invalid if there is none, if there are several to choose from, or if two files say that they are it.
    """
    if name in pathways.names() and (version is None or version in pathways.versions(name)):
        return pathways.load(name, version)
    own = [one for one in listing(directory).values() if isinstance(one, Pathway) and one.name == name]
    fitting = [one for one in own if version in (None, one.version)]
    if len(fitting) == 1:
        return fitting[0]
    if len(fitting) > 1:
        said = ", ".join(sorted(f"{one.name}@{one.version}" for one in fitting))
        raise Invalid("pathway", f"is in several files ({said}): each version is one file")
    known = [f"{name}@{v}" for v in pathways.versions(name)] + [f"{one.name}@{one.version}" for one in own]
    if known:
        raise Invalid("pathway", f"has no such version; there are {', '.join(known)}")
    every = [*pathways.names(), *sorted({one.name for one in listing(directory).values() if isinstance(one, Pathway)})]
    raise Invalid("pathway", f"is not one of {', '.join(every)}")
