"""The control API of `telehealth-sim serve`: what a tester may see and do while it feeds. Loopback, bearer token.

docs/simulator/control.md describes it.
"""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Protocol

import msgspec
from aiohttp import web

from simulator import cast, clock, errors, feed, pace, publisher, ring, scenario, service, views, world
from simulator.homes import catalogue

#: Speeds that the page offers; any between 0 and the last is taken.
SPEEDS: Final = (0, 1, 10, 60, 600, 3600)
#: A long poll waits so long.
POLL_SECONDS: Final = 20.0


class Feeding(Protocol):
    """What is steered."""

    cast: cast.Cast
    sender: publisher.Publisher
    feeder: feed.Feeder
    devices: feed.DeviceClock
    pace: pace.Pace
    messages: ring.Messages
    events: ring.Events
    phase: str

    @property
    def token(self) -> str: ...

    def now(self) -> datetime: ...

    def changed(self) -> None: ...

    async def go_virtual(self) -> None: ...


class Start(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /scenarios."""

    resident: world.Key
    scenario: world.Text
    onset_hours_ago: Annotated[float, msgspec.Meta(ge=-48, le=240)] = 0.0


class Press(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /faults. minutes left out: as the catalogue suggests; null: until it is ended."""

    kind: world.Text
    target: world.Text
    minutes: Annotated[float, msgspec.Meta(gt=0, le=60 * 24 * 60)] | msgspec.UnsetType | None = msgspec.UNSET
    parameters: dict[str, Any] = {}


class Measure(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /measure. resident: whom, with a kit that several share (else everybody)."""

    device_id: world.Text
    resident: world.Text | None = None


class Speed(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /speed. 0: time stands still."""

    speed: Annotated[float, msgspec.Meta(ge=0, le=3600)]


@contextlib.asynccontextmanager
async def served(feeding: Feeding, port: int) -> AsyncIterator[int]:
    """The API on loopback; yields its port. Raises BadInput if it is in use."""
    runner = web.AppRunner(application(feeding), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port, shutdown_timeout=1.0)
        try:
            await site.start()
        except OSError:
            raise errors.BadInput(f"--control-port {port} is in use") from None
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def application(feeding: Feeding) -> web.Application:
    """Every route needs the bearer token. Errors are {"error": words for the tester}."""

    @web.middleware
    async def guarded(request: web.Request, handler: Any) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {feeding.token}".encode()):
            return web.json_response({"error": "the control token is needed"}, status=401)
        try:
            answer: web.StreamResponse = await handler(request)
        except errors.BadInput as error:
            return web.json_response({"error": str(error)}, status=400)
        except errors.Refused as error:
            return web.json_response({"error": str(error)}, status=409)
        except errors.Unreachable as error:
            return web.json_response({"error": str(error)}, status=503)
        return answer

    app = web.Application(middlewares=[guarded], client_max_size=16_384)
    acts = _Acts(feeding)
    app.router.add_get("/status", acts.status)
    app.router.add_get("/catalogue", acts.catalogue)
    app.router.add_get("/homes", acts.homes)
    app.router.add_post("/scenarios", acts.start)
    app.router.add_delete("/scenarios/{resident}", acts.end)
    app.router.add_post("/faults", acts.press)
    app.router.add_delete("/faults/{id:.+}", acts.release)
    app.router.add_post("/measure", acts.measure)
    app.router.add_post("/speed", acts.speed)
    app.router.add_get("/messages", acts.messages)
    app.router.add_get("/truth", acts.truth)
    app.router.add_get("/events", acts.events)
    return app


class _Acts:
    """The handlers."""

    def __init__(self, feeding: Feeding) -> None:
        self._feeding = feeding

    async def status(self, _request: web.Request) -> web.Response:
        return web.json_response(self._status())

    async def catalogue(self, _request: web.Request) -> web.Response:
        found = [scenario.load(name) for name in scenario.names()]
        scenarios = [{"name": one.name, "title": one.title, "description": one.description} for one in found]
        return web.json_response({"scenarios": scenarios, "faults": catalogue.as_json(), "speeds": list(SPEEDS)})

    async def homes(self, _request: web.Request) -> web.Response:
        feeding = self._feeding
        return web.json_response(views.homes(feeding.cast, feeding.sender, feeding.messages, feeding.now()))

    async def start(self, request: web.Request) -> web.Response:
        wanted = await _body(request, Start, "resident, scenario and perhaps onset_hours_ago")
        if wanted.scenario not in scenario.names():
            raise errors.BadInput(f"no scenario of this name; there are: {', '.join(scenario.names())}")
        now = self._feeding.now()
        onset = now - timedelta(hours=wanted.onset_hours_ago)
        course = self._feeding.cast.begin(wanted.resident, scenario.load(wanted.scenario), onset)
        self._changed("scenario", resident=wanted.resident, scenario=wanted.scenario, id=course.id)
        return web.json_response({**self._status(), "id": course.id}, status=201)

    async def end(self, request: web.Request) -> web.Response:
        resident = request.match_info["resident"]
        self._feeding.cast.end(resident, self._feeding.now())
        self._changed("scenario_ended", resident=resident)
        return web.json_response(self._status())

    async def press(self, request: web.Request) -> web.Response:
        wanted = await _body(request, Press, "kind, target and perhaps minutes and parameters")
        kind = catalogue.kind(wanted.kind)
        minutes = kind.minutes if wanted.minutes is msgspec.UNSET else wanted.minutes
        assert not isinstance(minutes, msgspec.UnsetType)
        fault = self._feeding.cast.press(wanted.kind, wanted.target, self._feeding.now(), minutes, wanted.parameters)
        self._changed("fault", **{"fault": fault.as_json()})
        return web.json_response({"id": fault.id, "fault": fault.as_json()}, status=201)

    async def release(self, request: web.Request) -> web.Response:
        fault = self._feeding.cast.end_fault(request.match_info["id"], self._feeding.now())
        self._changed("fault_ended", **{"fault": fault.as_json()})
        return web.json_response({"id": fault.id, "fault": fault.as_json()})

    async def measure(self, request: web.Request) -> web.Response:
        wanted = await _body(request, Measure, "device_id and perhaps resident")
        found = [
            index
            for index, unit in enumerate(self._feeding.cast.units)
            if unit.device_id == wanted.device_id and wanted.resident in (None, unit.person.key)
        ]
        if not found:
            raise errors.BadInput("no such device is simulated")
        at_ms = clock.to_ms(self._feeding.now())
        for index in found:
            self._feeding.feeder.measure(index, at_ms)
        self._feeding.events.add("measure", clock.text(self._feeding.now()), device_id=wanted.device_id)
        return web.json_response({"device_id": wanted.device_id, "at": clock.text(clock.from_ms(at_ms))}, status=202)

    async def speed(self, request: web.Request) -> web.Response:
        wanted = await _body(request, Speed, "speed, from 0 (stands still) to 3600")
        feeding = self._feeding
        if feeding.phase != "live":
            raise errors.Refused("the history is still being fed: try again once it is live")
        if feeding.devices.virtual is None and wanted.speed != 1:
            try:
                await feeding.go_virtual()
            except service.ClockNotVirtual:
                raise errors.Refused(
                    "the service's time is real and cannot be stepped: only speed 1 is possible"
                ) from None
        feeding.pace.set(wanted.speed)
        self._changed("speed", speed=wanted.speed)
        return web.json_response(self._status())

    async def messages(self, request: web.Request) -> web.Response:
        return web.json_response(
            self._feeding.messages.after(_number(request, "after"), request.query.get("device_id") or None)
        )

    async def truth(self, request: web.Request) -> web.Response:
        resident = request.query.get("resident", "")
        now = self._feeding.now()
        to = _time(request, "to") or now
        since = _time(request, "from") or to - timedelta(days=2)
        if not timedelta(0) < to - since <= timedelta(days=31):
            raise errors.BadInput("from and to must be at most 31 days apart, from first")
        return web.json_response(views.truth(self._feeding.cast, resident, since, to))

    async def events(self, request: web.Request) -> web.Response:
        wait = min(_number(request, "wait", int(POLL_SECONDS)), int(POLL_SECONDS))
        return web.json_response(await self._feeding.events.after(_number(request, "after"), wait))

    def _status(self) -> dict[str, Any]:
        feeding = self._feeding
        return views.status(
            feeding.cast, feeding.sender, feeding.now(), feeding.phase,
            virtual=feeding.devices.virtual is not None, going=feeding.pace,
        )  # fmt: skip

    def _changed(self, kind: str, **facts: Any) -> None:
        self._feeding.changed()
        self._feeding.events.add(kind, clock.text(self._feeding.now()), **facts)


async def _body(request: web.Request, kind: Any, words: str) -> Any:
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.DecodeError as error:
        raise errors.BadInput(f"the body must be {words} ({error})") from None


def _number(request: web.Request, name: str, default: int = 0) -> int:
    text = request.query.get(name, str(default))
    if not (text.isdigit() and text.isascii() and len(text) < 16):
        raise errors.BadInput(f"{name} must be a whole number")
    return int(text)


def _time(request: web.Request, name: str) -> datetime | None:
    text = request.query.get(name)
    if not text:
        return None
    try:
        return clock.parsed(text)
    except ValueError:
        raise errors.BadInput(f"{name} must be an ISO 8601 time with an offset") from None
