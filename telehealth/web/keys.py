"""Typed keys of what the application and its requests carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from telehealth.clock import ClinicalClock
from telehealth.config import Settings
from telehealth.model.health import Health
from telehealth.store.db import Database
from telehealth.store.sessions import Session

if TYPE_CHECKING:
    from telehealth.web.auth import Caller, Doorkeeper
    from telehealth.web.built import Built
    from telehealth.web.hub import Hub
    from telehealth.web.replies import Replies

SETTINGS = web.AppKey("settings", Settings)
DATABASE = web.AppKey("database", Database)
CLOCK = web.AppKey("clock", ClinicalClock)
HEALTH = web.AppKey("health", Health)
#: The bearer token of the simulator's control calls; None: there are none.
CONTROL_TOKEN = web.AppKey("control_token", str)
HUB: web.AppKey[Hub] = web.AppKey("hub")
DOORKEEPER: web.AppKey[Doorkeeper] = web.AppKey("doorkeeper")
BUILT: web.AppKey[Built] = web.AppKey("built")
REPLIES: web.AppKey[Replies] = web.AppKey("replies")

#: Who is asking; set by the middleware on every route that is not public.
CALLER: web.RequestKey[Caller] = web.RequestKey("caller")
SESSION: web.RequestKey[Session] = web.RequestKey("session")
#: Random, in the logs and on error pages.
REQUEST_ID = web.RequestKey("request_id", str)
#: Allows the one inline script of the page template.
NONCE = web.RequestKey("nonce", str)
