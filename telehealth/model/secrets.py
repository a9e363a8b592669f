"""Secrets at rest: device passwords, staff passwords, tokens.

Device passwords and tokens are random (160 and 256 bits), so a fast hash protects them; people's
passwords are not, so argon2id does.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import secrets

import argon2

#: Mosquitto's own default; enough for random passwords, cheap enough for every HTTP request.
DEVICE_ITERATIONS = 101


def new_device_password() -> str:
    """160 random bits in 32 characters that survive a shell and a URL."""
    return base64.b32encode(secrets.token_bytes(20)).decode().lower()


def hash_device_password(password: str, *, salt: bytes | None = None) -> str:
    """As Mosquitto 2 writes it: $7$iterations$salt$PBKDF2-SHA512."""
    salt = secrets.token_bytes(12) if salt is None else salt
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, DEVICE_ITERATIONS)
    return f"$7${DEVICE_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def verify_device_password(password: str, stored: str) -> bool:
    """Whether the password is the stored one, in time that does not depend on where they differ."""
    try:
        _, kind, iterations, salt, digest = stored.split("$")
        if kind != "7" or not 1 <= int(iterations) <= 1_000_000:
            return False
        found = hashlib.pbkdf2_hmac("sha512", password.encode(), base64.b64decode(salt), int(iterations))
        return hmac.compare_digest(found, base64.b64decode(digest))
    except (ValueError, UnicodeError):
        return False


#: Verified against for unknown devices, so that a refusal takes the same time.
NO_DEVICE = hash_device_password("", salt=b"no such device")


@functools.cache
def _hasher() -> argon2.PasswordHasher:
    return argon2.PasswordHasher()


def hash_staff_password(password: str) -> str:
    """argon2id with the library's current parameters; takes about 50 ms on purpose."""
    return _hasher().hash(password)


def verify_staff_password(password: str, stored: str | None) -> bool:
    """Whether the password is the stored one; stored None (no such user) takes as long and is False."""
    try:
        return _hasher().verify(stored or _no_staff(), password) and stored is not None
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


@functools.cache
def _no_staff() -> str:
    return _hasher().hash(secrets.token_hex())


def new_token() -> str:
    """An API or session token: 256 random bits."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).digest()
