"""Typed keys of what the application and its requests carry."""

from __future__ import annotations

from aiohttp import web

from telehealth.clock import ClinicalClock
from telehealth.config import Settings
from telehealth.model.health import Health
from telehealth.store.db import Database
from telehealth.store.sessions import Session

SETTINGS = web.AppKey("settings", Settings)
DATABASE = web.AppKey("database", Database)
CLOCK = web.AppKey("clock", ClinicalClock)
HEALTH = web.AppKey("health", Health)
#: The bearer token of the simulator's control calls; None: there are none.
CONTROL_TOKEN = web.AppKey("control_token", str)
#: The OpenAPI document as text.
OPENAPI = web.AppKey("openapi", str)

SESSION: web.RequestKey[Session] = web.RequestKey("session")
#: Random, in the logs and on error pages.
REQUEST_ID = web.RequestKey("request_id", str)
#: Allows the one inline script of the page template.
