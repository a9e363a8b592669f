"""What /metrics shows. One registry per process; labels are few and bounded, never ids."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

MESSAGES = Counter("telehealth_messages", "Device messages taken in and committed", ["lane"], registry=REGISTRY)
READINGS = Counter("telehealth_readings", "Readings by what became of them", ["result"], registry=REGISTRY)
REFUSALS = Counter("telehealth_refusals", "Refusals by error", ["error"], registry=REGISTRY)
BATCH_SECONDS = Histogram(
    "telehealth_batch_seconds",
    "From the first message of a batch to its commit",
    registry=REGISTRY,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
BATCH_MESSAGES = Histogram(
    "telehealth_batch_messages",
    "Messages per batch",
    registry=REGISTRY,
    buckets=(1, 2, 5, 10, 50, 100, 500, 1000, 5000),
)
UNSETTLED = Gauge(
    "telehealth_unsettled_messages", "Taken from the broker, not yet committed", ["lane"], registry=REGISTRY
)
HELD_BYTES = Gauge("telehealth_held_bytes", "Memory of what is not yet committed, about", ["lane"], registry=REGISTRY)
SHED_RECEIPTS = Counter("telehealth_shed_receipts", "Answers given up because the broker took none", registry=REGISTRY)
RECEIPTS = Counter("telehealth_receipts", "Receipts published to devices", ["lane"], registry=REGISTRY)
RECEIPTS_WAITING = Gauge(
    "telehealth_receipts_waiting", "Receipts that the broker has not taken yet", ["lane"], registry=REGISTRY
)
DUE_ROWS = Gauge("telehealth_due_rows", "Evaluation work waiting", registry=REGISTRY)
DUE_AGE_SECONDS = Gauge("telehealth_due_age_seconds", "Age of the oldest evaluation work", registry=REGISTRY)
EVALUATION_SECONDS = Histogram("telehealth_evaluation_seconds", "One evaluation transaction", registry=REGISTRY)
OPEN_ALERTS = Gauge("telehealth_open_alerts", "Open alerts", ["kind", "priority"], registry=REGISTRY)
SOCKETS = Gauge("telehealth_sockets", "Live browser connections", registry=REGISTRY)
SIGN_INS = Counter("telehealth_sign_ins", "Sign-ins by result", ["result"], registry=REGISTRY)

CALL_SOCKETS = Gauge("telehealth_call_sockets", "Browsers in video visits, at this process", registry=REGISTRY)
CALL_ROOMS = Gauge("telehealth_call_rooms", "Video visits that this process serves", registry=REGISTRY)
CALL_REFUSALS = Counter("telehealth_call_refusals", "What was refused in video visits", ["about"], registry=REGISTRY)
CALL_REBUILDS = Counter("telehealth_call_rebuilds", "Rooms that were found at another worker", registry=REGISTRY)
CALL_QUALITY = Counter(
    "telehealth_call_quality_samples",
    "Five seconds of somebody's connection, by how good it was",
    ["word"],
    registry=REGISTRY,
)
CALL_JOIN_SECONDS = Histogram(
    "telehealth_call_join_seconds",
    "From a browser's offer to its first frame",
    registry=REGISTRY,
    buckets=(0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10),
)

MAILS = Counter("telehealth_mails", "Mails by what became of them", ["result"], registry=REGISTRY)
MAILS_DUE = Gauge("telehealth_mails_due", "Mails that should have been sent", registry=REGISTRY)
MAILS_AGE_SECONDS = Gauge("telehealth_mails_age_seconds", "Age of the oldest mail that is due", registry=REGISTRY)
MAILS_REFUSED = Gauge("telehealth_mails_refused", "Mails that were refused in the last day", registry=REGISTRY)
MEDIA_WORKERS = Gauge("telehealth_media_workers", "Media workers of this process that take rooms", registry=REGISTRY)
MEDIA_RESTARTS = Counter("telehealth_media_restarts", "Media workers that ended and were replaced", registry=REGISTRY)
MEDIA_ROOMS = Gauge("telehealth_media_rooms", "Video visits with somebody in them", registry=REGISTRY)
MEDIA_PEOPLE = Gauge("telehealth_media_people", "People in video visits", registry=REGISTRY)
MEDIA_STREAMS = Gauge("telehealth_media_streams", "Voices and pictures forwarded", registry=REGISTRY)
MEDIA_AUDIO_ONLY = Gauge(
    "telehealth_media_audio_only", "People whose line is too weak for pictures now", registry=REGISTRY
)
MEDIA_LAG_SECONDS = Gauge(
    "telehealth_media_lag_seconds", "How late the loop of the latest worker is, 99th percentile", registry=REGISTRY
)
