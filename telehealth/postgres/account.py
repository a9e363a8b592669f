"""Which account PostgreSQL runs as, and what that account can reach.

PostgreSQL refuses to run as root. As root we use an account that exists; we never create one.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from telehealth.errors import TelehealthError

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Account:
    """An unprivileged account of this machine."""

    uid: int
    gid: int
    name: str


def choose(existing_cluster: Path | None = None) -> Account | None:
    """The account to switch to, or None when this process may run PostgreSQL as it is.

    A cluster that is there already stays with its owner.
    """
    if os.geteuid() != 0:
        return None
    if existing_cluster is not None:
        owner = existing_cluster.stat().st_uid
        if owner != 0:
            return _by_uid(owner)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name)
    raise TelehealthError("running as root, and this machine has neither a postgres nor a nobody account")


def _by_uid(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(uid, uid, str(uid))
    return Account(uid, entry.pw_gid, entry.pw_name)


def can_enter(account: Account, folder: Path) -> bool:
    """Whether the account can reach a folder, found out by trying as that account."""
    return _succeeds(account, "/usr/bin/test", "-x", str(folder))


def can_run(account: Account, program: Path) -> bool:
    """Whether the account can run a program (with --version)."""
    return _succeeds(account, str(program), "--version")


def _succeeds(account: Account, *command: str) -> bool:
    try:
        done = subprocess.run(
            command, user=account.uid, group=account.gid, extra_groups=[], capture_output=True, cwd="/", check=False
        )
    except OSError:
        return False
    return done.returncode == 0


def own_folder(folder: Path, mode: int) -> None:
    """Make a folder of this process's user, or check that the one there is: nobody else may have prepared it."""
    folder.mkdir(mode=mode, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} must be a directory that only user {os.geteuid()} may write to")


def become(account: Account | None, *, when_parent_dies: signal.Signals) -> Callable[[], None]:
    """What a child does before it becomes another program: drop root, and ask to be told of our death."""

    def prepare() -> None:
        if account is not None:
            os.setgroups([])
            os.setgid(account.gid)
            os.setuid(account.uid)
        # After setuid, which would undo it.
        _libc.prctl(_PR_SET_PDEATHSIG, int(when_parent_dies), 0, 0, 0)

    return prepare
