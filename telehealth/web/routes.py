"""Every route, and who may use it. What is not listed here does not exist."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from telehealth.web import api_wards, built, device_api, health, operations, sign_in
from telehealth.web.auth import Who
from telehealth.web.calls import call_socket, join, join_visit
from telehealth.web.live import live
from telehealth.web.quarantine import quarantine_api, quarantine_pages
from telehealth.web.record import (
    api_alerts,
    api_readings,
    api_residents,
    pages,
    pages_held,
    pages_reading,
    pages_resident,
)
from telehealth.web.rules import api_rules, pages_rules, rules_trial
from telehealth.web.shown import held_json
from telehealth.web.simulator import simulator_pages
from telehealth.web.visits import (
    api_appointments,
    api_contacts,
    api_recordings,
    api_visit_acts,
    api_visits,
    recordings,
    visit_acts,
    visits_booking,
    visits_end,
    visits_room,
    visits_ward,
)


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    handler: Handler
    who: Who


_WARD = r"{ward_id:[0-9]{1,19}}"
_RESIDENT = r"{resident_id:[0-9]{1,19}}"
_ALERT = r"{alert_id:[0-9]{1,19}}"
_ENTRY = r"{entry_id:[0-9]{1,19}}"
_READING = "{reading_key:" + held_json.KEY + "}"
_APPOINTMENT = r"{appointment_id:[0-9]{1,19}}"
_CONTACT = r"{contact_id:[0-9]{1,19}}"
_VISIT = r"{visit_id:[0-9]{1,19}}"
_ENCOUNTER = r"{encounter_id:[0-9]{1,19}}"
_FOLLOW_UP = r"{follow_up_id:[0-9]{1,19}}"
_TOKEN = r"{token:.{1,200}}"
_LINK = r"{link_id:[0-9]{1,19}}"
_DEVICE = r"{device_id:[A-Za-z0-9_-]{1,64}}"
_FORMAT = r"{format:[a-z0-9-]{1,32}}"
_RECORDING = r"{recording_id:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}}"

API = (
    Route("GET", "/api/v1/me", api_wards.me, Who.STAFF),
    Route("GET", "/api/v1/wards", api_wards.wards, Who.STAFF),
    Route("GET", f"/api/v1/wards/{_WARD}/board", api_wards.ward_board, Who.STAFF),
    Route("GET", f"/api/v1/wards/{_WARD}/held", api_readings.ward_held, Who.STAFF),
    Route("GET", "/api/v1/residents", api_residents.residents, Who.STAFF),
    Route("GET", f"/api/v1/residents/{_RESIDENT}", api_residents.resident, Who.STAFF),
    Route("GET", f"/api/v1/residents/{_RESIDENT}/readings", api_residents.readings, Who.STAFF),
    Route("POST", f"/api/v1/residents/{_RESIDENT}/readings", api_residents.key_readings, Who.CARE),
    Route("POST", f"/api/v1/residents/{_RESIDENT}/strikes", api_residents.strike_reading, Who.CARE),
    Route("GET", f"/api/v1/residents/{_RESIDENT}/trends", api_residents.resident_trends, Who.STAFF),
    Route("GET", f"/api/v1/residents/{_RESIDENT}/rules", api_rules.resident_rules, Who.STAFF),
    Route("POST", f"/api/v1/residents/{_RESIDENT}/rules", api_rules.change_rules, Who.CARE),
    Route("GET", f"/api/v1/residents/{_RESIDENT}/opinions", api_rules.resident_opinions, Who.STAFF),
    Route("GET", f"/api/v1/residents/{_RESIDENT}/rules/history", api_rules.resident_rules_history, Who.STAFF),
    Route("POST", f"/api/v1/residents/{_RESIDENT}/rules/preview", api_rules.propose_rules, Who.CARE),
    Route("POST", f"/api/v1/residents/{_RESIDENT}/rules/dry-run", rules_trial.try_rules, Who.CARE),
    Route("GET", f"/api/v1/readings/{_READING}", api_readings.reading, Who.STAFF),
    Route("POST", f"/api/v1/readings/{_READING}/resident", api_readings.move_reading, Who.CARE),
    Route("POST", f"/api/v1/readings/{_READING}/time", api_readings.set_reading_time, Who.CARE),
    Route("POST", f"/api/v1/readings/{_READING}/set-aside", api_readings.set_reading_aside, Who.CARE),
    Route("POST", f"/api/v1/readings/{_READING}/choose", api_readings.choose_value, Who.CARE),
    Route("GET", "/api/v1/alerts", api_alerts.alert_list, Who.STAFF),
    Route("GET", f"/api/v1/alerts/{_ALERT}", api_alerts.alert, Who.STAFF),
    Route("POST", f"/api/v1/alerts/{_ALERT}/acknowledge", api_alerts.acknowledge_alert, Who.CARE),
    Route("POST", f"/api/v1/alerts/{_ALERT}/resolve", api_alerts.resolve_alert, Who.CARE),
    Route("GET", "/api/v1/devices", api_wards.devices, Who.STAFF),
    Route("GET", f"/api/v1/devices/{_DEVICE}", api_wards.device, Who.STAFF),
    Route("GET", f"/api/v1/devices/{_DEVICE}/commands", device_api.get_commands, Who.DEVICE),
    Route("POST", f"/api/v1/devices/{_DEVICE}/readings", device_api.post_readings, Who.DEVICE),
    Route("POST", f"/api/v1/devices/{_DEVICE}/readings/{_FORMAT}", device_api.post_readings_format, Who.DEVICE),
    Route("POST", f"/api/v1/devices/{_DEVICE}/backlog", device_api.post_backlog, Who.DEVICE),
    Route("POST", f"/api/v1/devices/{_DEVICE}/backlog/{_FORMAT}", device_api.post_backlog_format, Who.DEVICE),
    Route("GET", f"/api/v1/wards/{_WARD}/quarantine", quarantine_api.quarantine_list, Who.STAFF),
    Route("GET", f"/api/v1/wards/{_WARD}/quarantine/counts", quarantine_api.quarantine_counts, Who.STAFF),
    Route("POST", f"/api/v1/wards/{_WARD}/quarantine/retry", quarantine_api.retry_quarantined_of, Who.CARE),
    Route("POST", f"/api/v1/wards/{_WARD}/quarantine/dismiss", quarantine_api.dismiss_quarantined_of, Who.CARE),
    Route("GET", f"/api/v1/quarantine/{_ENTRY}", quarantine_api.quarantine_entry, Who.STAFF),
    Route("GET", f"/api/v1/quarantine/{_ENTRY}/bytes", quarantine_api.quarantine_bytes_of, Who.STAFF),
    Route("POST", f"/api/v1/quarantine/{_ENTRY}/retry", quarantine_api.retry_quarantined, Who.CARE),
    Route("POST", f"/api/v1/quarantine/{_ENTRY}/dismiss", quarantine_api.dismiss_quarantined, Who.CARE),
    Route("GET", f"/api/v1/wards/{_WARD}/visits", api_visits.ward_visits, Who.STAFF),
    Route("GET", f"/api/v1/wards/{_WARD}/waiting", api_visits.ward_waiting, Who.STAFF),
    Route("POST", f"/api/v1/wards/{_WARD}/visits", api_appointments.book_visit, Who.CARE),
    Route("GET", f"/api/v1/appointments/{_APPOINTMENT}", api_appointments.appointment, Who.STAFF),
    Route("POST", f"/api/v1/appointments/{_APPOINTMENT}/move", api_appointments.move_appointment, Who.CARE),
    Route("POST", f"/api/v1/appointments/{_APPOINTMENT}/cancel", api_appointments.cancel_appointment, Who.CARE),
    Route("POST", f"/api/v1/appointments/{_APPOINTMENT}/links", api_appointments.make_link, Who.CARE),
    Route("POST", f"/api/v1/appointments/{_APPOINTMENT}/links/revoke", api_appointments.revoke_link, Who.CARE),
    Route("POST", f"/api/v1/appointments/{_APPOINTMENT}/links/allow", api_appointments.allow_link, Who.CARE),
    Route("POST", f"/api/v1/residents/{_RESIDENT}/visits", api_visits.start_visit, Who.CARE),
    Route("POST", f"/api/v1/alerts/{_ALERT}/visits", api_visits.start_alert_visit, Who.CARE),
    Route("GET", f"/api/v1/visits/{_VISIT}", api_visits.visit, Who.CARE),
    Route("GET", f"/api/v1/visits/{_VISIT}/measures", api_visits.visit_measures, Who.CARE),
    Route("POST", f"/api/v1/visits/{_VISIT}/admit", api_visit_acts.admit, Who.CARE),
    Route("POST", f"/api/v1/visits/{_VISIT}/waiting", api_visit_acts.return_to_waiting, Who.CARE),
    Route("POST", f"/api/v1/visits/{_VISIT}/remove", api_visit_acts.remove, Who.CARE),
    Route("POST", f"/api/v1/visits/{_VISIT}/mute", api_visit_acts.mute, Who.CARE),
    Route("POST", f"/api/v1/visits/{_VISIT}/pin", api_visit_acts.pin, Who.CARE),
    Route("POST", f"/api/v1/visits/{_VISIT}/allow-browser", api_visit_acts.allow_browser, Who.CARE),
    Route("POST", f"/api/v1/visits/{_VISIT}/lock", api_visit_acts.lock, Who.CARE),
    Route("POST", f"/api/v1/visits/{_VISIT}/subject", api_visit_acts.switch_subject, Who.CARE),
    Route("POST", f"/api/v1/visits/{_VISIT}/message", api_visit_acts.message, Who.CARE),
    Route("POST", f"/api/v1/visits/{_VISIT}/ring", api_visit_acts.ring, Who.CARE),
    Route("POST", f"/api/v1/visits/{_VISIT}/measure", api_visit_acts.measure_now, Who.CARE),
    Route("POST", f"/api/v1/visits/{_VISIT}/record", api_visit_acts.record_visit, Who.CARE),
    Route("POST", f"/api/v1/visits/{_VISIT}/invite", api_visit_acts.invite, Who.CARE),
    Route("POST", f"/api/v1/visits/{_VISIT}/readings", api_visit_acts.decide_reading, Who.CARE),
    Route("POST", f"/api/v1/visits/{_VISIT}/notes", api_visit_acts.save_notes, Who.CARE),
    Route("POST", f"/api/v1/visits/{_VISIT}/leave", api_visit_acts.leave, Who.CARE),
    Route("POST", f"/api/v1/visits/{_VISIT}/end", api_visits.end_visit, Who.CARE),
    Route("GET", f"/api/v1/residents/{_RESIDENT}/encounters", api_visits.resident_encounters, Who.STAFF),
    Route("GET", f"/api/v1/residents/{_RESIDENT}/contacts", api_contacts.resident_contacts, Who.STAFF),
    Route("POST", f"/api/v1/residents/{_RESIDENT}/contacts", api_contacts.add_contact, Who.CARE),
    Route("POST", f"/api/v1/contacts/{_CONTACT}/remove", api_contacts.remove_contact, Who.CARE),
    Route("GET", f"/api/v1/visits/{_VISIT}/recordings", api_recordings.visit_recordings, Who.CARE),
    Route("GET", f"/api/v1/recordings/{_RECORDING}", api_recordings.recording, Who.CARE),
    Route("POST", f"/api/v1/recordings/{_RECORDING}/verdict", api_recordings.judge_recording, Who.CARE),
    Route("POST", f"/api/v1/recordings/{_RECORDING}/watch", api_recordings.watch_recording, Who.CARE),
    Route("GET", f"/api/v1/encounters/{_ENCOUNTER}", api_visits.encounter, Who.STAFF),
    Route("POST", f"/api/v1/follow-ups/{_FOLLOW_UP}/done", api_visits.follow_up_done, Who.CARE),
    Route("POST", "/api/v1/clock/advance", api_wards.advance_clock, Who.CONTROL),
)

PAGES = (
    Route("GET", "/", pages.home, Who.STAFF),
    Route("GET", "/sign-in", sign_in.show, Who.PUBLIC),
    Route("POST", "/sign-in", sign_in.submit, Who.PUBLIC),
    Route("POST", "/sign-out", sign_in.leave, Who.STAFF),
    Route("GET", "/about-demo", pages.about_demo, Who.STAFF),
    Route("GET", f"/wards/{_WARD}", pages.ward_board, Who.STAFF),
    Route("GET", f"/wards/{_WARD}/alerts", pages.ward_alerts, Who.STAFF),
    Route("GET", f"/wards/{_WARD}/quarantine", quarantine_pages.ward_quarantine, Who.STAFF),
    Route("POST", f"/wards/{_WARD}/quarantine/retry", quarantine_pages.retry_group, Who.CARE),
    Route("POST", f"/wards/{_WARD}/quarantine/dismiss", quarantine_pages.dismiss_group, Who.CARE),
    Route("GET", f"/quarantine/{_ENTRY}", quarantine_pages.entry, Who.STAFF),
    Route("GET", f"/quarantine/{_ENTRY}/bytes", quarantine_pages.entry_bytes, Who.STAFF),
    Route("GET", f"/quarantine/{_ENTRY}/download", quarantine_pages.download, Who.STAFF),
    Route("POST", f"/quarantine/{_ENTRY}/retry", quarantine_pages.retry_entry, Who.CARE),
    Route("POST", f"/quarantine/{_ENTRY}/dismiss", quarantine_pages.dismiss_entry, Who.CARE),
    Route("GET", f"/wards/{_WARD}/held", pages_held.ward_held, Who.STAFF),
    Route("GET", f"/readings/{_READING}", pages_reading.reading, Who.STAFF),
    Route("POST", f"/readings/{_READING}/resident", pages_reading.move, Who.CARE),
    Route("POST", f"/readings/{_READING}/time", pages_reading.set_time, Who.CARE),
    Route("POST", f"/readings/{_READING}/set-aside", pages_reading.set_aside, Who.CARE),
    Route("POST", f"/readings/{_READING}/choose", pages_reading.choose, Who.CARE),
    Route("GET", f"/alerts/{_ALERT}", pages.alert, Who.STAFF),
    Route("POST", f"/alerts/{_ALERT}/acknowledge", pages.acknowledge, Who.CARE),
    Route("POST", f"/alerts/{_ALERT}/resolve", pages.resolve, Who.CARE),
    Route("GET", f"/residents/{_RESIDENT}", pages_resident.resident, Who.STAFF),
    Route("GET", f"/residents/{_RESIDENT}/rules", pages_rules.resident_rules, Who.STAFF),
    Route("GET", f"/residents/{_RESIDENT}/rules/change", pages_rules.rule_form, Who.CARE),
    Route("POST", f"/residents/{_RESIDENT}/rules/preview", pages_rules.preview_rules, Who.CARE),
    Route("POST", f"/residents/{_RESIDENT}/rules/change", pages_rules.change_rules, Who.CARE),
    Route("POST", f"/residents/{_RESIDENT}/readings", pages_resident.key_readings, Who.CARE),
    Route("POST", f"/residents/{_RESIDENT}/strike", pages_resident.strike_reading, Who.CARE),
)

#: Getting into a visit, and being in it.
CALLS = (
    Route("GET", f"/join/{_TOKEN}", join.show, Who.GUEST),
    Route("POST", f"/join/{_TOKEN}", join.enter, Who.GUEST),
    Route("GET", f"/visit/{_LINK}", join_visit.visit, Who.GUEST),
    Route("POST", f"/visit/{_LINK}/birth", join_visit.birth, Who.GUEST),
    Route("POST", f"/visit/{_LINK}/wait", join_visit.wait, Who.GUEST),
    Route("GET", f"/ws/visit/{_LINK}", call_socket.guest, Who.GUEST),
    Route("GET", f"/ws/visits/{_VISIT}", call_socket.staff, Who.CARE),
)

#: Visits as staff see them: planned, going on, over.
VISITS = (
    Route("GET", f"/wards/{_WARD}/visits", visits_ward.ward_visits, Who.STAFF),
    Route("GET", f"/wards/{_WARD}/visits/new", visits_booking.new, Who.STAFF),
    Route("POST", f"/wards/{_WARD}/visits/new", visits_booking.book, Who.CARE),
    Route("GET", f"/appointments/{_APPOINTMENT}", visits_booking.appointment, Who.STAFF),
    Route("GET", f"/appointments/{_APPOINTMENT}/calendar.ics", visits_booking.calendar_file, Who.STAFF),
    Route("POST", f"/appointments/{_APPOINTMENT}/move", visits_booking.move, Who.CARE),
    Route("POST", f"/appointments/{_APPOINTMENT}/cancel", visits_booking.cancel, Who.CARE),
    Route("POST", f"/appointments/{_APPOINTMENT}/links", visits_booking.new_link, Who.CARE),
    Route("POST", f"/appointments/{_APPOINTMENT}/links/revoke", visits_booking.revoke_link, Who.CARE),
    Route("POST", f"/appointments/{_APPOINTMENT}/links/allow", visits_booking.allow_link, Who.CARE),
    Route("POST", f"/residents/{_RESIDENT}/visits", visits_ward.start, Who.CARE),
    Route("POST", f"/alerts/{_ALERT}/visits", visits_ward.start_for_alert, Who.CARE),
    Route("GET", f"/visits/{_VISIT}", visits_room.room, Who.CARE),
    Route("GET", f"/visits/{_VISIT}/end", visits_end.end_form, Who.CARE),
    Route("POST", f"/visits/{_VISIT}/end", visits_end.end, Who.CARE),
    *(Route("POST", f"/visits/{_VISIT}/{name}", visits_room.act, Who.CARE) for name in visit_acts.ACTS),
    Route("POST", f"/residents/{_RESIDENT}/contacts", visits_ward.add_contact, Who.CARE),
    Route("POST", f"/contacts/{_CONTACT}/remove", visits_ward.remove_contact, Who.CARE),
    Route("GET", f"/encounters/{_ENCOUNTER}", visits_end.encounter, Who.STAFF),
    Route("GET", f"/recordings/{_RECORDING}", recordings.show, Who.CARE),
    Route("POST", f"/recordings/{_RECORDING}", recordings.watch, Who.CARE),
    Route("GET", f"/recordings/{_RECORDING}/media", recordings.media, Who.CARE),
    Route("POST", f"/follow-ups/{_FOLLOW_UP}/done", visits_ward.follow_up_done, Who.CARE),
)

#: The testers' page.
SIMULATOR = (
    Route("GET", "/simulator", simulator_pages.home, Who.TESTER),
    Route("POST", "/simulator/speed", simulator_pages.speed, Who.TESTER),
    Route("GET", "/simulator/faults/new", simulator_pages.fault, Who.TESTER),
    Route("POST", "/simulator/faults", simulator_pages.start_fault, Who.TESTER),
    Route("POST", "/simulator/faults/end", simulator_pages.end_fault, Who.TESTER),
    Route("POST", f"/simulator/devices/{_DEVICE}/measure", simulator_pages.measure, Who.TESTER),
    Route("GET", f"/simulator/residents/{_RESIDENT}", simulator_pages.resident, Who.TESTER),
    Route("POST", f"/simulator/residents/{_RESIDENT}/scenario", simulator_pages.start_scenario, Who.TESTER),
    Route("POST", f"/simulator/residents/{_RESIDENT}/recover", simulator_pages.recover, Who.TESTER),
)

OTHERS = (
    Route("GET", "/ws", live.socket, Who.STAFF),
    Route("GET", "/static/{path:.+}", built.static, Who.PUBLIC),
    Route("GET", "/api/openapi.json", operations.show, Who.PUBLIC),
    Route("GET", "/healthz", health.healthz, Who.PUBLIC),
    Route("GET", "/readyz", health.readyz, Who.PUBLIC),
    Route("GET", "/metrics", health.show_metrics, Who.MONITOR),
)

ALL = (*API, *PAGES, *VISITS, *CALLS, *SIMULATOR, *OTHERS)


def add(app: web.Application) -> dict[tuple[str, str], Who]:
    """Add every route; returns who may use it by (method, canonical path)."""
    access: dict[tuple[str, str], Who] = {}
    for route in ALL:
        added = app.router.add_route(route.method, route.path, route.handler)
        if route.method == "GET":
            app.router.add_route("HEAD", route.path, route.handler)
        assert added.resource is not None
        access[route.method, added.resource.canonical] = route.who
    return access
