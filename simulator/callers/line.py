"""The way in: the link's button, the date of birth, and the socket. HTTP and WebSocket, as a browser would."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from simulator import errors

_LINK = re.compile(r"/join/[A-Za-z0-9_-]{16,200}")
_VISIT = re.compile(r"/visit/([0-9]{1,19})")
_HTTP_SECONDS = 20
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Link:
    """Of a mail: https://ward.example/join/TOKEN. born: of the resident whose link it is; None: a guest's."""

    url: str
    born: date | None = None

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


def link(text: str, born: str | None = None) -> Link:
    """Raises BadInput; never repeats the link, which is a secret."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or not _LINK.fullmatch(parts.path):
        raise errors.BadInput("a link must be http(s)://HOST/join/TOKEN")
    try:
        return Link(text, None if not born else date.fromisoformat(born))
    except ValueError:
        raise errors.BadInput("born must be a date like 1941-03-27") from None


def session() -> aiohttp.ClientSession:
    """A browser of its own: the cookies of one caller."""
    # On loopback the service is an address and not a name; cookies of addresses are refused otherwise.
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.CookieJar(unsafe=True), timeout=aiohttp.ClientTimeout(total=_HTTP_SECONDS)
    )


async def open_link(browser: aiohttp.ClientSession, found: Link) -> str:
    """Press the button, tell the date of birth. Returns the visit's path, /visit/ID. Raises Refused, Unreachable."""
    with _reached():
        async with browser.get(found.url) as page:
            if page.status != 200:
                raise errors.Refused(f"the link was not shown (HTTP {page.status})")
        headers = {"Origin": found.origin}
        async with browser.post(found.url, headers=headers, allow_redirects=False) as answer:
            path = urlsplit(answer.headers.get("Location", "")).path
            if answer.status != 303 or not _VISIT.fullmatch(path):
                raise errors.Refused(f"the link was not opened (HTTP {answer.status})")
        if found.born is not None:
            await _tell_birth(browser, found, found.origin + path)
    return path


async def _tell_birth(browser: aiohttp.ClientSession, found: Link, url: str) -> None:
    assert found.born is not None
    async with browser.get(url) as page:
        if f'action="{urlsplit(url).path}/birth"' not in await page.text():
            return  # this browser has told it before
    born = {"day": str(found.born.day), "month": str(found.born.month), "year": str(found.born.year)}
    async with browser.post(
        f"{url}/birth", data=born, headers={"Origin": found.origin}, allow_redirects=False
    ) as answer:
        if answer.status != 303:
            raise errors.Refused(f"the date of birth was not taken (HTTP {answer.status})")


@contextlib.asynccontextmanager
async def socket(
    browser: aiohttp.ClientSession, url: str, origin: str
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Raises Refused where the service does not take it, Unreachable where it is away."""
    with _reached():
        opened = await browser.ws_connect(
            url.replace("http", "ws", 1), headers={"Origin": origin}, max_msg_size=_MOST_BYTES
        )
    try:
        yield opened
    finally:
        await opened.close()


@contextlib.contextmanager
def _reached() -> Any:
    try:
        yield
    except aiohttp.WSServerHandshakeError as error:
        raise errors.Refused(f"the socket was refused (HTTP {error.status})") from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise errors.Unreachable(f"the service cannot be reached ({type(error).__name__})") from None
