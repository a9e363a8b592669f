"""The simulator's control API as this service asks it. It is another program: what it answers is checked here."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import aiohttp
import msgspec
from aiohttp import web

from telehealth import errors
from telehealth.model.simulator import Simulator

#: A page waits for so long; the simulator answers from memory.
_SECONDS = 5.0
_MOST_BYTES = 16 * 1024 * 1024

Text = Annotated[str, msgspec.Meta(max_length=4000)]
T = TypeVar("T")


class Away(errors.Unavailable):
    """No simulator runs beside this service, or it does not answer."""


class Declined(errors.Refused):
    """The simulator will not do this; the message is its own, about the request only."""


class Status(msgspec.Struct, frozen=True):
    """What runs, and how time goes. now: what the devices' right clocks show; speed: None while history is fed.

    speed is what was asked for, reached what time really does (None: not known, or real time).
    """

    now: datetime
    phase: Text
    devices: int
    connected: int
    messages: int
    readings: int
    unsettled: int
    refused: int
    speed: float | None = 1.0
    reached: float | None = None


class Fault(msgspec.Struct, frozen=True):
    """One that is switched on. target: device:ID, resident:KEY or home:ID."""

    id: Text
    kind: Text
    target: Text
    since: datetime = msgspec.field(name="from")
    until: datetime | None = msgspec.field(name="to", default=None)


class Notice(msgspec.Struct, frozen=True):
    """What somebody should have noticed by when, and how urgent at least."""

    what: Text
    priority: Text
    by: datetime


class Course(msgspec.Struct, frozen=True):
    """An illness of a resident; without a peak nothing gets worse. notice: in truth only."""

    scenario: Text
    onset: datetime
    peak: datetime | None = None
    end: datetime | None = None
    notice: list[Notice] = []


class Clock(msgspec.Struct, frozen=True):
    """What a device's clock shows less what it is, in seconds."""

    error_seconds: float


class Holder(msgspec.Struct, frozen=True):
    """Whom a device measures; several have one where a kit is shared."""

    resident: Text


class Device(msgspec.Struct, frozen=True):
    """A simulated device and what became of its messages. waiting: made, and held back by the device or its home."""

    device_id: Text
    title: Text
    codes: list[Text]
    connected: bool
    residents: list[Holder]
    clock: Clock
    battery: float | None = None
    firmware: Text | None = None
    faults: list[Fault] = []
    sent: int = 0
    receipted: int = 0
    unsettled: int = 0
    refused: int = 0
    waiting: int = 0
    lost: int = 0


class Resident(msgspec.Struct, frozen=True):
    """Somebody who is simulated; key: their NHS number here; devices by id."""

    key: Text
    devices: list[Text]
    courses: list[Course] = []


class Home(msgspec.Struct, frozen=True):
    """Where residents live together."""

    id: Text
    residents: list[Resident]
    devices: list[Device]
    faults: list[Fault] = []


class Homes(msgspec.Struct, frozen=True):
    homes: list[Home]


class Scenario(msgspec.Struct, frozen=True):
    name: Text
    title: Text
    description: Text


class Parameter(msgspec.Struct, frozen=True):
    """One setting of a fault; a number lies within lowest and highest, in its unit."""

    name: Text
    title: Text
    type: Literal["number", "boolean", "text"]
    default: float | bool | str
    unit: Text = ""
    lowest: float = 0.0
    highest: float = 0.0
    choices: list[Text] = []


class Kind(msgspec.Struct, frozen=True):
    """A kind of fault. targets: what it can befall; minutes: how long is suggested (None: until it is mended)."""

    name: Text
    title: Text
    description: Text
    sees: Text
    targets: list[Literal["device", "resident", "home"]]
    parameters: list[Parameter] = []
    #: What it can touch; empty: everything.
    codes: list[Text] = []
    minutes: int | None = None


class Catalogue(msgspec.Struct, frozen=True):
    scenarios: list[Scenario]
    faults: list[Kind]
    speeds: list[float] = []


class Refusal(msgspec.Struct, frozen=True):
    """Why the service would not take a reading."""

    error: Text


class Value(msgspec.Struct, frozen=True):
    """A reading in a message, as far as it is shown."""

    code: Text | None = None


class Message(msgspec.Struct, frozen=True):
    """One that a device has made lately; of a kind of its own where it is no message of readings."""

    device_id: Text
    kind: Text
    seq: int | None
    lane: Text
    sent_at: datetime
    count: int
    readings: list[Value]
    deliveries: list[Any]
    receipted: bool
    refused: list[Refusal] = []


class Messages(msgspec.Struct, frozen=True):
    messages: list[Message]


class Traced(msgspec.Struct, frozen=True):
    """Of one code, at each time: the truth, and what a device showed, if one was used then."""

    at: list[datetime]
    true: list[Any]
    measured: list[Any]


class Truth(msgspec.Struct, frozen=True):
    codes: dict[str, Traced]
    courses: list[Course] = []
    faults: list[Fault] = []


class Link:
    """Asks the simulator. Every method raises Away or Declined."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def get(self, path: str, answer: type[T], **query: str) -> T:
        """What it answers, checked."""
        found = await self._ask("GET", path, query=query)
        try:
            return msgspec.json.decode(found, type=answer)
        except msgspec.DecodeError as wrong:
            # Of another version: say where, never what.
            raise Away(f"The simulator answers {path} in another way than this service knows.") from wrong

    async def post(self, path: str, body: Any) -> None:
        """Asks it to do something."""
        await self._ask("POST", path, body=body)

    async def delete(self, path: str) -> None:
        """Asks it to end something."""
        await self._ask("DELETE", path)

    async def _ask(self, method: str, path: str, *, body: Any = None, query: dict[str, str] | None = None) -> bytes:
        if self._simulator.url is None:
            raise Away("No simulator runs beside this service.")
        headers = {"Authorization": f"Bearer {self._simulator.token}"}
        timeout = aiohttp.ClientTimeout(_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(self._simulator.url, headers=headers, timeout=timeout) as session,
                session.request(method, path, params=query, json=body) as response,
            ):
                found = await _whole(response)
                if response.status >= 400:
                    raise Declined(_words(found))
                return found
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise Away("The simulator does not answer.") from None


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    found = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        found += chunk
        if len(found) > _MOST_BYTES:
            raise Away("The simulator answers too much.")
    return bytes(found)


class _Wrong(msgspec.Struct, frozen=True):
    error: Text


def _words(found: bytes) -> str:
    try:
        return msgspec.json.decode(found, type=_Wrong).error
    except msgspec.DecodeError:
        return "The simulator refused this."


LINK = web.AppKey("simulator", Link)
