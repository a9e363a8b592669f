"""The web application: pages, /api/v1, the live socket, health."""

from __future__ import annotations

from aiohttp import web

from telehealth.clock import ClinicalClock
from telehealth.config import Settings
from telehealth.model.health import Health
from telehealth.model.media import MediaBackend
from telehealth.model.simulator import Simulator
from telehealth.store import recordings as kept
from telehealth.store.db import Database
from telehealth.web import access, auth, headers, keys, openapi, render, replies, routes, throttle
from telehealth.web.admission import ADMISSION, Admission
from telehealth.web.auth import Doorkeeper
from telehealth.web.built import BUILT, Built
from telehealth.web.calls import join, rooms
from telehealth.web.calls.call_room import Means
from telehealth.web.live import live
from telehealth.web.live.hub import HUB, Hub
from telehealth.web.replies import Replies
from telehealth.web.simulator import simulator_link
from telehealth.web.visits import recordings

#: No request may be larger: what a device may send, and is then told to be too much.
_LARGEST_BYTES = 1024 * 1024 + 1


def build(
    *,
    settings: Settings,
    database: Database,
    clock: ClinicalClock,
    health: Health,
    control_token: str | None = None,
    simulator: Simulator | None = None,
    media: MediaBackend | None = None,
) -> web.Application:
    """An application for server.Runner; its hub runs from start-up to clean-up.

    control_token: lets the simulator that this service started move virtual time; None: nobody may.
    simulator: where its control API listens; None: none that this service knows of.
    media: forwards the media of video visits; None: visits are without.
    """
    headers.keep_requests_out_of_logs()
    app = web.Application(middlewares=[headers.surround, auth.guard], client_max_size=_LARGEST_BYTES)
    built = Built()
    app[keys.SETTINGS] = settings
    app[keys.DATABASE] = database
    app[keys.CLOCK] = clock
    app[keys.HEALTH] = health
    app[ADMISSION] = Admission(settings.http_messages, settings.database_connections)
    app[HUB] = Hub(database, clock, health)
    app[rooms.ROOMS] = rooms.Rooms(Means(database, clock, settings, media, kept.place(settings)))
    app[join.GUESSES] = throttle.Guesses()
    app[BUILT] = built
    app[replies.REPLIES] = Replies()
    app[keys.OPENAPI] = openapi.text()
    app[access.VIEWS] = access.Views()
    app[recordings.FILMS] = recordings.Films()
    if control_token is not None:
        app[keys.CONTROL_TOKEN] = control_token
    app[simulator_link.LINK] = simulator_link.Link(simulator or Simulator(None, ""))
    render.set_up(app, built)
    app[auth.DOORKEEPER] = Doorkeeper(routes.add(app))
    app.on_response_prepare.append(headers.on_prepare)
    app.cleanup_ctx.append(live.serve_hub)
    app.cleanup_ctx.append(rooms.serve)
    app.on_shutdown.append(rooms.say_goodbye)
    app.on_shutdown.append(live.say_goodbye)
    return app
