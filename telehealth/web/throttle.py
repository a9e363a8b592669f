"""How long somebody who fails to sign in has to wait. Pure.

Two counts: of one user name from one address, and of one address. Only the first ever refuses, so
that nobody can lock out another user, nor a user at another address, nor all who share an address.
The second only slows the address down.
"""

from __future__ import annotations

import collections
import hashlib
from datetime import datetime

from telehealth.store.sessions import Failures

#: Free tries of one user name from one address, and the longest wait after more: too short to keep the user out who
#: shares the address with somebody who guesses, too long to guess much (some 3,000 a day).
FREE = 5
LONGEST_WAIT_SECONDS = 30
#: Failures of one address before it is slowed down, and by how much at most.
FREE_OF_ADDRESS = 20
LONGEST_DELAY_SECONDS = 2.0


def pair_key(username: str, address: str) -> bytes:
    """The key of a user name at an address; neither can be read from it."""
    return hashlib.sha256(f"pair\0{username}\0{address}".encode()).digest()


def address_key(address: str) -> bytes:
    return hashlib.sha256(f"address\0{address}".encode()).digest()


def wait_seconds(failures: Failures | None, now: datetime) -> int:
    """Seconds until the next try of this pair is looked at; 0: now. Doubles with each failure."""
    if failures is None or failures.count < FREE:
        return 0
    wait = min(LONGEST_WAIT_SECONDS, 2 ** min(failures.count - FREE + 1, 20))
    passed = (now - failures.last_at).total_seconds()
    return max(0, int(wait - passed + 0.999))


def delay_seconds(failures: Failures | None) -> float:
    """By how much a try from this address is slowed down."""
    if failures is None:
        return 0.0
    return min(LONGEST_DELAY_SECONDS, max(0, failures.count - FREE_OF_ADDRESS) * 0.1)


class Guesses:
    """Links that do not exist, by the address that asked for them; in memory, so that a GET changes nothing.

    Nobody guesses 256 bits: this only keeps somebody who tries from keeping the service busy.
    """

    MOST = 10_000
    FORGET_SECONDS = 600.0

    def __init__(self) -> None:
        self._seen: collections.OrderedDict[str, tuple[int, float]] = collections.OrderedDict()

    def missed(self, address: str, *, at: float) -> None:
        """One more that does not exist; at: monotonic seconds."""
        count = self._count(address, at) + 1
        self._seen[address] = (count, at)
        self._seen.move_to_end(address)
        if len(self._seen) > self.MOST:
            self._seen.popitem(last=False)

    def delay_seconds(self, address: str, *, at: float) -> float:
        """By how much the next try from this address is slowed down."""
        return min(LONGEST_DELAY_SECONDS, max(0, self._count(address, at) - FREE_OF_ADDRESS) * 0.1)

    def _count(self, address: str, at: float) -> int:
        count, last = self._seen.get(address, (0, at))
        return 0 if at - last > self.FORGET_SECONDS else count
