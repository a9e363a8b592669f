"""telehealth pathway check|list|show|defaults|schema: pathways, packaged ones and the hospital's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from telehealth import errors
from telehealth.cli import terminal

app = typer.Typer(help="Pathways: the rules that residents are admitted with.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name, or name and version: copd@2.")]


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A pathway file (TOML).")],
    json: terminal.Json = False,
) -> None:
    """Say everything that is wrong with a pathway file, with its line; exit status 1 if anything is."""
    from alerts import pathways
    from alerts.pathways.model import Unusable

    try:
        found = pathways.read(file)
    except Unusable as error:
        problems = [
            {"line": p.line, "field": p.path, "where": p.where, "message": p.message, "text": str(p)}
            for p in error.problems
        ]
        if json:
            typer.echo(terminal.encode({"file": str(file), "ok": False, "problems": problems}))
        else:
            count = len(problems)
            typer.echo(f"{file} cannot be used: {count} {'problem' if count == 1 else 'problems'}", err=True)
            for problem in problems:
                typer.echo(f"  {problem['text']}", err=True)
        raise typer.Exit(1) from None
    told = _summary(found)
    unapproved = told["needs_approval"]
    lines = [
        f"{file} can be used: {found.name}@{found.version}, {found.title}",
        f"  {told['rules']} rules with {told['numbers']} numbers, of which {unapproved} need local approval",
    ]
    lines += [f"  to be set for each resident: {one}" for one in told["to_set"]]
    lines += [f"  note: {one}" for one in told["notes"]]
    terminal.answer({"file": str(file), "ok": True, "problems": [], **told}, as_json=json, text="\n".join(lines))


@app.command("list")
def listing(json: terminal.Json = False) -> None:
    """Every pathway and version that residents can be admitted with."""
    from alerts import pathways
    from alerts.pathways.model import Pathway
    from telehealth import config
    from telehealth.model import pathway_files

    rows: list[dict[str, Any]] = []
    for name in pathways.names():
        for version in pathways.versions(name):
            newest = version == pathways.versions(name)[-1]
            rows.append(_row(pathways.load(name, version), "packaged", "" if newest else "superseded"))
    directory = _job(lambda: config.from_environment().pathways_dir)
    for file, one in _job(lambda: pathway_files.listing(directory)).items():
        if isinstance(one, Pathway):
            rows.append(_row(one, str(file), ""))
        else:
            rows.append({"pathway": "", "title": "", "from": str(file), "remark": f"cannot be used: {one}"})
    columns = {"pathway": "Pathway", "title": "Title", "rules": "Rules", "needs_approval": "Need approval"}
    terminal.table(rows, as_json=json, columns=columns | {"from": "From", "remark": "Remark"})


@app.command()
def show(name: Name, json: terminal.Json = False) -> None:
    """The rules of a pathway in plain words, with every number, its source and approval state."""
    from alerts import pathways, plain
    from alerts import rules as engine

    found = _find(name)
    rules = {engine.key_of(r): r for r in pathways.compile(found).rules}
    for other in pathways.compile(found, spo2_scale=2).rules:
        rules[f"{engine.key_of(other)} (scale 2)"] = other
    if json:
        named = dict.fromkeys(number.rule for number in found.numbers)
        shown = {
            key: {"title": plain.title(r), "sentence": plain.sentence(r)}
            for key in named
            if (r := rules.get(key.removesuffix(" (scale 1)"))) is not None
        }
        numbers = [
            {"rule": n.rule, "field": n.field, "value": n.value, "source": n.source, "approval": n.approval}
            for n in found.numbers
        ]
        document = {**_summary(found), "rules": shown, "numbers": numbers, "schedule": found.schedule}
        terminal.answer(document, as_json=True, text="")
        return
    lines = [f"{found.title}: {found.name}@{found.version}"]
    for key in dict.fromkeys(number.rule for number in found.numbers):
        lines += ["", key]
        rule = rules.get(key.removesuffix(" (scale 1)"))
        if rule is not None:
            lines.append(f"  {plain.sentence(rule)}")
        for number in found.numbers:
            if number.rule == key:
                lines.append(f"  {number.field} {number.text}: {number.source} [{number.approval}]")
    terminal.answer(None, as_json=False, text="\n".join(lines))


@app.command()
def defaults() -> None:
    """The page docs/clinical/defaults.md: every number of the packaged pathways."""
    from alerts.pathways import table

    typer.echo(table.markdown(), nl=False)


@app.command()
def schema() -> None:
    """The JSON Schema of pathway files, docs/schemas/pathway.json."""
    import json

    from alerts.pathways import schema as made

    typer.echo(json.dumps(made.schema(), indent=1, ensure_ascii=False))


def _find(name: str) -> Any:
    from telehealth import config
    from telehealth.model import pathway_files

    given, _, version = name.partition("@")
    return _job(lambda: pathway_files.find(config.from_environment().pathways_dir, given, version or None))


def _job(work: Any) -> Any:
    try:
        return work()
    except errors.TelehealthError as error:
        terminal.fail(error)


def _row(one: Any, origin: str, remark: str) -> dict[str, Any]:
    told = _summary(one)
    picked = {key: told[key] for key in ("name", "version", "title", "rules", "numbers", "needs_approval")}
    return {"pathway": f"{one.name}@{one.version}", **picked, "from": origin, "remark": remark}


def _summary(one: Any) -> dict[str, Any]:
    notes = [
        f"{rule['code']} has a silence rule and no [schedule.{rule['code']}]: it waits for a schedule of the resident"
        for rule in one.rules
        if rule["kind"] == "silence" and rule["code"] not in one.schedule
    ]
    return {
        "name": one.name,
        "version": one.version,
        "title": one.title,
        "rules": len(one.rules),
        "numbers": len(one.numbers),
        "needs_approval": sum("needs local approval" in number.approval for number in one.numbers),
        "to_set": [f"{number.rule} {number.field}: {number.source}" for number in one.to_set],
        "notes": notes,
    }
