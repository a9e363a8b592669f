"""What operators and monitoring ask."""

from __future__ import annotations

import asyncio

import prometheus_client
from aiohttp import web

from telehealth import clock, metrics
from telehealth.store import alerts, board, db, outage
from telehealth.web import keys
from telehealth.web.auth import SERVICE

_PROBE_SECONDS = 2.0
#: Work that waits so long is nobody's, or alerting is far behind.
_BEHIND_SECONDS = 30.0


async def healthz(request: web.Request) -> web.Response:
    """The process answers."""
    return web.json_response({"alive": True})


async def readyz(request: web.Request) -> web.Response:
    """Whether every part works, and if not, why not; 503 then. Never cached, no secrets."""
    parts = request.app[keys.HEALTH].parts()
    database, horizon = request.app[keys.DATABASE], request.app[keys.CLOCK].horizon()
    try:
        async with asyncio.timeout(_PROBE_SECONDS), database.transaction(SERVICE, read_only=True) as connection:
            parts.setdefault("database", None)
            if "alerting" not in parts:
                # Another process's; nobody else would say that it is gone.
                waiting = await board.oldest_due(connection, horizon=horizon, backlog=False)
                if waiting is not None and (clock.real_now() - waiting).total_seconds() > _BEHIND_SECONDS:
                    parts["alerting"] = "no process evaluates readings, or it is far behind"
    except db.AWAY as error:
        parts["database"] = outage.sentence(error)
    ready = request.app[keys.HEALTH].ready and all(trouble is None for trouble in parts.values())
    body = {"ready": ready, "parts": {part: trouble or "ok" for part, trouble in sorted(parts.items())}}
    return web.json_response(body, status=200 if ready else 503)


async def show_metrics(request: web.Request) -> web.Response:
    """Prometheus text; from this computer only. Counts that live in the database are read when asked."""
    try:
        async with request.app[keys.DATABASE].transaction(SERVICE, read_only=True) as connection:
            counts = await alerts.open_by_priority(connection)
            waiting = await board.waiting(connection)
    except db.AWAY:
        pass
    else:
        for kind in ("physiological", "technical"):
            for priority in ("high", "medium", "low"):
                metrics.OPEN_ALERTS.labels(kind, priority).set(counts.get((kind, priority), 0))
        metrics.DUE_ROWS.set(waiting.rows)
        metrics.DUE_AGE_SECONDS.set(waiting.age_seconds)
    body = prometheus_client.generate_latest(metrics.REGISTRY)
    return web.Response(body=body, headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST})
