"""Where a request comes from: the client's address, and whether its page is ours."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from aiohttp import web

from telehealth.config import Settings
from telehealth.web import keys

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def address(request: web.Request) -> str:
    """The client's address; X-Forwarded-For is believed only from a trusted proxy."""
    peer = request.remote or "unknown"
    trusted = _trusted(request.app[keys.SETTINGS])
    if peer not in trusted:
        return peer
    for hop in reversed(request.headers.get("X-Forwarded-For", "").split(",")):
        hop = hop.strip()
        if hop and hop not in trusted:
            return hop if _is_address(hop) else peer
    return peer


def is_loopback(request: web.Request) -> bool:
    """From this computer itself, and not passed on by a proxy."""
    return (
        _is_loopback_address(request.remote or "")
        and "X-Forwarded-For" not in request.headers
        and "Forwarded" not in request.headers
    )


def own_host(request: web.Request) -> bool:
    """Whether the Host that the client asked for is ours.

    A service that listens on loopback only answers to loopback names: other names that lead here
    are another site's attempt to reach it through somebody's browser (DNS rebinding).
    """
    settings = request.app[keys.SETTINGS]
    if settings.public_url is not None or not _is_loopback_address(settings.host):
        return True
    return _hostname(f"//{request.host}") in _LOOPBACK_NAMES


def same_origin(request: web.Request) -> bool:
    """Whether a request that changes something, or opens a socket, comes from one of our own pages.

    True also when the client says nothing of its origin: browsers always do, scripts need not.
    """
    if request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        return False
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    public = request.app[keys.SETTINGS].public_url
    if public is not None:
        return origin == public
    found = urlsplit(origin)
    return found.scheme in ("http", "https") and found.netloc == request.host


def base(request: web.Request) -> str:
    """Where browsers reach us, for addresses that people pass on: https://host, without a slash."""
    settings = request.app[keys.SETTINGS]
    if settings.public_url is not None:
        return settings.public_url
    return f"{'https' if secure(settings) else 'http'}://{request.host}"


def secure(settings: Settings) -> bool:
    """Whether browsers reach us by https."""
    return (settings.public_url or "").startswith("https://") or settings.tls_certificate is not None


def _trusted(settings: Settings) -> frozenset[str]:
    return frozenset(part.strip() for part in settings.trusted_proxies.split(",") if part.strip())


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback_address(text: str) -> bool:
    return text == "localhost" or (_is_address(text) and ipaddress.ip_address(text).is_loopback)


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
