"""The page of a resident's rules: what is in force, what is personal, and the form that changes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from aiohttp import web

from alerts import plain
from alerts.personal import SCALE, Change
from telehealth import errors
from telehealth.web import access, auth, keys, render
from telehealth.web.record import api_residents
from telehealth.web.rules import api_rules, rule_forms, rules_models, rules_trial
from telehealth.web.shown import formats, local_time, residents_json

Json = dict[str, Any]
Form = Mapping[str, str]

#: A review that nobody has thought about is offered after this time.
_REVIEW = timedelta(days=90)
_SCALE_RULE: Json = {
    "key": SCALE,
    "kind": "scale",
    "title": "SpO2 scale",
    "numbers": [],
    "changeable": [],
    "values": {},
}


@dataclass(frozen=True)
class _Looked:
    """A resident with the rules in force."""

    found: Any
    rules: Json
    context: Json


async def resident_rules(request: web.Request) -> web.StreamResponse:
    """The page: rules in force now, or at the time that was asked for."""
    wrong: list[Json] = []
    async with _opened(request) as view:
        looked = await _look(request, view, request.query, wrong)
        history = await api_rules.versions(view, looked.found["id"])
    more = {
        "history": history,
        "asked": [one["field"] for one in wrong],
        "errors": wrong,
        "form": dict(request.query),
        "then": bool(request.query.get("date")) and not wrong,
    }
    return render.page(request, "rules.html", {**looked.context, **more}, status=422 if wrong else 200)


async def rule_form(request: web.Request) -> web.StreamResponse:
    """The form that changes one rule."""
    async with _opened(request) as view:
        looked = await _look(request, view)
    rule = _rule(looked.rules, request.query.get("rule", ""))
    review_on = _today(request, looked) + _REVIEW
    form = {"scale": str(looked.rules["spo2_scale"]), "review": formats.born(review_on)}
    if rule["kind"] != "scale":
        form = rule_forms.blank(rule, review_on)
        if rule["left_out"]:
            form["how"] = "back"
    return _form_page(request, looked, rule, form)


async def preview_rules(request: web.Request) -> web.StreamResponse:
    """What the change would change, before it is saved."""
    return await _decide(request, save=False)


async def change_rules(request: web.Request) -> web.StreamResponse:
    """The form that saves."""
    return await _decide(request, save=True)


async def _decide(request: web.Request, *, save: bool) -> web.StreamResponse:
    form = await auth.form(request)
    resident_id = request.match_info["resident_id"]
    async with access.sought(request, "rules.change", kind="resident", object_id=resident_id) as view:
        looked = await _look(request, view)
    rule = _rule(looked.rules, form.get("rule", ""))
    try:
        changes, asked = _asked(form, rule, int(looked.rules["version"]))
        action = "rules.change" if save else "rules.propose"
        async with access.opened(request, action, kind="resident", object_id=resident_id) as view:
            if save:
                await api_rules.change(request, view, resident_id, changes, asked, asked.version)
            else:
                proposed, trial = await api_rules.propose(request, view, resident_id, changes, asked)
    except rule_forms.WrongForm as error:
        return _form_page(request, looked, rule, form, error.wrong)
    except errors.Invalid as error:
        return _form_page(request, looked, rule, form, [_invalid(error, rule)])
    except errors.Conflict as error:
        text = str(error)
        return _form_page(request, looked, rule, form, [rule_forms.fault("why", text[:1].upper() + text[1:])])
    if save:
        raise render.then(None, f"/residents/{resident_id}/rules", "rules")
    proposed["dry_run"] = await rules_trial.run(request, trial)
    more = {"rule": rule, "form": form, "proposed": proposed, "less": _less(proposed)}
    return render.page(request, "rules_preview.html", {**looked.context, **more})


def _asked(form: Form, rule: Json, version: int) -> tuple[list[Change], rules_models.ChangeRules]:
    """The changes, and who wants them until when. Raises WrongForm."""
    wrong: list[Json] = []
    changes: list[Change] = []
    try:
        changes = rule_forms.scale(form) if rule["kind"] == "scale" else rule_forms.changes(form, rule)
    except rule_forms.WrongForm as error:
        wrong += error.wrong
    why, review_on = rule_forms.reason(form, wrong)
    if wrong:
        raise rule_forms.WrongForm(wrong)
    seen = form.get("version", "")
    return changes, rules_models.ChangeRules.model_construct(
        changes=[],
        why=why,
        review_on=review_on,
        version=int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 19 else version,
    )


def _invalid(error: errors.Invalid, rule: Json) -> Json:
    """An error of the store, at the field of the form that it is about."""
    if error.field in ("why", "review_on"):
        return rule_forms.fault("review" if error.field == "review_on" else "why", f"This {error.problem}")
    field, problem = error.field.rpartition(".")[2], plain.worded(error.problem)
    if "profiles" in error.field:
        return rule_forms.fault("night_red_low", f"At night: {problem}")
    if field not in rule_forms.offered(rule):
        first = next(iter(rule_forms.offered(rule)), "how")
        return rule_forms.fault(first if rule["kind"] != "scale" else "scale", problem[:1].upper() + problem[1:])
    label = next(one["label"] for one in rule["changeable"] if one["field"] == field)
    return rule_forms.fault(field, f"{label}: {problem}")


def _less(proposed: Json) -> bool:
    """Whether something is left out, which is to be said aloud."""
    return any(one["after"] in ("left out", "not set") for one in proposed["changes"])


# What the pages show ------------------------------------------------------------------------------------


def _opened(request: web.Request) -> Any:
    return access.opened(request, "rules.open", kind="resident", object_id=request.match_info["resident_id"])


async def _look(
    request: web.Request, view: access.Opened, query: Mapping[str, str] | None = None, wrong: list[Json] | None = None
) -> _Looked:
    now = request.app[keys.CLOCK].now()
    found = await api_residents.opened_resident(view, request.match_info["resident_id"], now)
    moment = _moment(query or {}, found["zone"], now, [] if wrong is None else wrong)
    try:
        rules = await api_rules.in_force(view, found, moment)
    except errors.NotFound:
        if wrong is None:
            raise
        wrong.append(rule_forms.fault("date", "No rules were in force then: that was before admission"))
        rules = await api_rules.in_force(view, found, now)
    for rule in rules["rules"]:
        rule["left_out"] = False
    frame = await render.frame(request, view)
    context = {
        **frame,
        "resident": residents_json.banner(found, now),
        "ward": {"id": found["ward_id"], "name": found["ward"], "simulated": found["simulated"], "zone": formats.ZONE},
        "rules": rules,
        "simulated": found["simulated"],
        "here": f"/residents/{found['id']}/rules",
    }
    return _Looked(found, rules, context)


def _moment(query: Mapping[str, str], zone: str, now: datetime, wrong: list[Json]) -> datetime:
    """The time that was asked for, in the resident's zone, or now."""
    if not query.get("date") and not query.get("time"):
        return now
    return local_time.read(query, "", zone, wrong) or now


def _today(request: web.Request, looked: _Looked) -> date:
    now = request.app[keys.CLOCK].now()
    return now.astimezone(formats.zone_of(looked.found["zone"])).date()


def _rule(rules: Json, key: str) -> Json:
    """A rule by its key, one that is left out, or the SpO2 scale. NotFound."""
    if key == SCALE:
        return _SCALE_RULE
    for one in rules["rules"]:
        if one["key"] == key:
            written = next(r for r, k in zip(rules["rule_set"]["rules"], _keys(rules), strict=True) if k == key)
            own = [number["field"] for number in one["numbers"] if number["personal"]]
            return {**one, "values": written, "own": [field for field in own if field in written]}
    for one in rules["left_out"]:
        if one["key"] == key:
            return {**one, "kind": "", "numbers": [], "changeable": [], "left_out": True, "values": {}, "own": []}
    raise errors.NotFound


def _keys(rules: Json) -> list[str]:
    return [one["key"] for one in rules["rules"]]


def _form_page(
    request: web.Request, looked: _Looked, rule: Json, form: Form, wrong: list[Json] | None = None
) -> web.Response:
    more = {"rule": rule, "form": form, "errors": wrong or [], "asked": [one["field"] for one in wrong or []]}
    return render.page(request, "rules_change.html", {**looked.context, **more}, status=422 if wrong else 200)
