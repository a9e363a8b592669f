"""telehealth resident rules|set-rule: what rules are in force for one resident, and changing them."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import typer

from telehealth import errors
from telehealth.cli import terminal

Who = Annotated[str, typer.Argument(help="NHS number, or the resident's number in the service.")]


def rules(
    resident: Who,
    at: Annotated[str | None, typer.Option("--at", help="In force when, with offset; else now.")] = None,
    history: Annotated[bool, typer.Option("--history", help="Every version instead.")] = False,
    json: terminal.Json = False,
) -> None:
    """The rules that are in force for a resident, or were at a time, with sources and what is personal."""

    async def job() -> None:
        from telehealth.model import rules_view
        from telehealth.store import audit
        from telehealth.store import rules as store

        async with terminal.transaction() as connection:
            moment = terminal.moment(at, field="--at") or await terminal.clinical_now(connection)
            found = await _find(connection, resident)
            today = moment.astimezone(ZoneInfo(found.zone)).date()
            await audit.write(
                connection,
                None,
                "rules.open",
                object_kind="resident",
                object_id=found.id,
                resident_id=found.id,
                ward_id=found.ward_id,
            )
            if history:
                versions = await store.history(connection, found.id)
                every = [one for version in versions for one in version.rules.overrides]
                names = await store.names(connection, every)
                rows = [rules_view.summary(one, names) for one in versions]
                columns = {"valid_from": "From", "pathway": "Pathway", "pathway_version": "Version"}
                terminal.table(rows, as_json=json, columns=columns | {"by": "By", "reason": "Why"})
                return
            version = await store.at(connection, found.id, moment)
            base = await store.pathway_of(connection, version)
            names = await store.names(connection, version.rules.overrides)
        document = {
            "resident": found.id,
            "at": moment,
            **rules_view.shown(version, base, names, today=today),
        }
        terminal.answer(document, as_json=json, text=_text(document))

    terminal.run(job)


def set_rule(
    resident: Who,
    rule: Annotated[str, typer.Argument(help="threshold/spo2, distance/dry_weight_gain, spo2_scale, ...")],
    field: Annotated[str | None, typer.Argument(help="red_low, reference, ...")] = None,
    value: Annotated[str | None, typer.Argument(help="The new value; the word none for no limit.")] = None,
    why: Annotated[str, typer.Option(help="Why; shown to staff and kept.")] = "",
    review: Annotated[
        str, typer.Option(help="When it is to be looked at again, YYYY-MM-DD, at most a year ahead.")
    ] = "",
    back: Annotated[bool, typer.Option("--back", help="Back to the pathway's: the field, or the whole rule.")] = False,
    leave_out: Annotated[bool, typer.Option("--leave-out", help="Leave the rule out for this resident.")] = False,
    json: terminal.Json = False,
) -> None:
    """Change one number of one rule for one resident, from now on."""

    async def job() -> None:
        from alerts.personal import SCALE, Change
        from telehealth.model import rules_view
        from telehealth.store import rules as store

        how: Literal["set", "back", "leave_out"] = "back" if back else "leave_out" if leave_out else "set"
        given, name = value, field
        if rule == SCALE and value is None:
            given, name = field, "scale"
        if how == "set" and (given is None or name is None):
            raise errors.Invalid("value", "is needed: a field and its new value, or --back or --leave-out")
        change = Change(rule, None if how == "leave_out" else name, _value(given) if how == "set" else None, how)
        async with terminal.transaction() as connection:
            now = await terminal.clinical_now(connection)
            found = await _find(connection, resident)
            before = await store.newest(connection, found.id)
            after = await store.change(
                connection,
                found.id,
                [change],
                why=why,
                review_on=terminal.day(review, field="--review"),
                actor=terminal.actor(),
                now=now,
            )
        changed = rules_view.differences(before.rules, after.rules)
        lines = [f"{one['title']}, {one['label'] or 'rule'}: {one['before']} -> {one['after']}" for one in changed]
        document = {"resident": found.id, "version": after.id, "valid_from": after.valid_from, "changes": changed}
        terminal.answer(document, as_json=json, text="\n".join(lines))

    terminal.run(job)


def set_pathway(
    resident: Who,
    pathway: Annotated[str, typer.Argument(help="Pathway and version, for example copd@2.")],
    why: Annotated[str, typer.Option(help="Why; shown to staff and kept.")],
    json: terminal.Json = False,
) -> None:
    """Put a resident on another pathway or version from now on; what is personal goes along as far as it fits."""

    async def job() -> None:
        from telehealth import config
        from telehealth.model import pathway_files, rules_view
        from telehealth.store import rules as store

        name, _, version = pathway.partition("@")
        if not version:
            raise errors.Invalid("pathway", "needs a version, for example copd@2")
        async with terminal.transaction() as connection:
            now = await terminal.clinical_now(connection)
            found = await _find(connection, resident)
            to = await store.pathway(connection, name, version) or pathway_files.find(
                config.from_environment().pathways_dir, name, version
            )
            made, dropped = await store.move(connection, found.id, to, why=why, actor=terminal.actor(), now=now)
            names = await store.names(connection, dropped)
        lost = [rules_view.override(one, names) for one in dropped]
        lines = [f"On {pathway} from {made.valid_from.isoformat()}"]
        lines += [
            f"  no longer personal, the pathway has no such rule: {one['rule']} {one['field'] or ''}" for one in lost
        ]
        document = {"resident": found.id, "version": made.id, "valid_from": made.valid_from, "dropped": lost}
        terminal.answer(document, as_json=json, text="\n".join(lines))

    terminal.run(job)


def _value(given: str | None) -> Any:
    """A number, true or false, JSON, or a word."""
    import msgspec

    if given is None or given == "none":
        return None
    try:
        return msgspec.json.decode(given)
    except msgspec.DecodeError:
        return given


async def _find(connection: Any, resident: str) -> Any:
    """By NHS number or by number in the service."""
    from telehealth.store import residents

    digits = resident.replace(" ", "")
    if len(digits) < 10 and digits.isdigit():
        return await residents.by_id(connection, int(digits))
    return await residents.find(connection, digits)


def _text(document: Any) -> str:
    lines = [
        f"{document['pathway_title']}: {document['pathway']}@{document['pathway_version']}, SpO2 scale "
        f"{document['spo2_scale']}; in force from {document['valid_from']}, by {document['by']}: {document['reason']}"
    ]
    if document["overdue"]:
        lines.append(f"Reviews overdue: {document['overdue']}")
    for rule in document["rules"]:
        lines += ["", f"{rule['key']}", f"  {rule['sentence']}"]
        for number in rule["numbers"]:
            state = f" [{number['approval']}]" if number["approval"] else ""
            usual = f" (pathway: {number['usual']})" if number["differs"] else ""
            lines.append(f"  {number['field']} {number['text']}{usual}: {number['source']}{state}")
    for rule in document["left_out"]:
        own = rule["personal"]
        who = f" by {own['by']}, {own['why']}, review on {own['review_on']}" if own else ""
        lines += ["", f"{rule['key']} left out{who}"]
    return "\n".join(lines)
