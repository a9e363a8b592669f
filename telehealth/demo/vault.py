"""The demo's passwords: all derived from one secret in the data directory, so the same at every start."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from telehealth.errors import SettingError


@dataclass(frozen=True, repr=False)
class Vault:
    """Gives the password for a purpose; 160 bits, letters and digits."""

    secret: bytes

    def __call__(self, purpose: str) -> str:
        digest = hmac.new(self.secret, purpose.encode(), hashlib.sha256).digest()
        return base64.b32encode(digest[:20]).decode().lower()


def open_directory(folder: Path) -> tuple[Vault, IO[bytes]]:
    """The vault of a data directory, made if there is none, and the lock that keeps a second demo away.

    Raises SettingError if another demo runs on it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("ab")
    except OSError as error:
        raise SettingError("--data-dir", f"cannot be written ({error.strerror})") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise SettingError("--data-dir", "another demo runs on this directory: stop it, or name another") from None
    path = folder / "secret"
    if not path.exists():
        # Written beside and renamed: a crash leaves no half secret.
        beside = folder / "secret.new"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
    return Vault(path.read_bytes()), lock
