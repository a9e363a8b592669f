"""Documents say what is there: files, commands, options, settings and addresses exist; hazards have tests."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from aiohttp import web

from simulator import __main__ as sim
from simulator import options
from telehealth.cli import app
from telehealth.config import Settings
from telehealth.web import routes

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "telehealth/web/templates/CONTEXT.md"],
)
EACH = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
#: What commands may be written after: the beginning, an assignment, a blank, a folder.
COMMAND = re.compile(r"(?:^|[\s(/])(telehealth(?:-sim)?) ([a-z].*)")
COMMANDS = {"telehealth": typer.main.get_command(app.app), "telehealth-sim": typer.main.get_command(sim.app)}
VARIABLE = re.compile(r"\bTELEHEALTH_[A-Z_]+[A-Z]\b")
#: Of the simulator and of tests, not of the service.
OTHERS = {options.TOKEN_VARIABLE, "TELEHEALTH_TEST_MESSAGES"}
TOPICS = ("telehealth/v1/", "telehealth/check/")
PARTS = "telehealth|devices|alerts|simulator|tests|migrations|web|docs"


@EACH
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link of a document is a file of the project."""
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.read_text("utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


@EACH
def test_files_that_are_named_exist(document: Path) -> None:
    """Patterns match something; topics and addresses that begin like a folder are none."""
    named = re.findall(rf"`((?:{PARTS})/[\w./*-]+)", document.read_text("utf-8"))
    places = {document.parent, ROOT, ROOT / "telehealth"}
    missing = [
        name
        for name in named
        if not name.startswith(TOPICS) and not any([*place.glob(name.rstrip("/"))] for place in places)
    ]
    assert missing == []


@EACH
def test_commands_that_are_named_exist(document: Path) -> None:
    """With the options that are written after them."""
    assert [problem for line in _code(document) for problem in _unknown(line)] == []


@EACH
def test_addresses_that_are_named_exist(document: Path) -> None:
    """A method and an address of the API."""
    known = {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in routes.add(web.Application())}
    named = re.findall(
        r"`(GET|POST|PUT|PATCH|DELETE) (/api/v1/(?![^`]*\{action\})[^`?\s]*)", document.read_text("utf-8")
    )
    assert [one for one in named if (one[0], re.sub(r"\{\w+\}|(?<=/)[0-9]+", "{}", one[1])) not in known] == []


def test_settings_and_documents_name_each_other() -> None:
    """Each setting is in a document, and each variable of a document is a setting. `_B` after `A` is a second one."""
    text = "\n".join(document.read_text("utf-8") for document in DOCUMENTS)
    named = set(VARIABLE.findall(text)) | {f"TELEHEALTH{name}" for name in re.findall(r"`(_[A-Z_]+)`", text)}
    settings = {
        f"TELEHEALTH_{name.upper()}" for name, field in Settings.model_fields.items() if field.validation_alias is None
    }
    assert settings - named == set()
    assert set(VARIABLE.findall(text)) - settings - OTHERS == set()


def test_every_dependency_has_a_bound_and_a_licence_that_is_named() -> None:
    """THIRD_PARTY_NOTICES says under what each package comes. Only of zones the newest is always right."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    notices = (ROOT / "THIRD_PARTY_NOTICES.md").read_text("utf-8")
    for needed in itertools.chain(project["dependencies"], *project["optional-dependencies"].values()):
        name = re.split(r"[<>=\[]", needed)[0]
        assert "<" in needed or "==" in needed or name in {"telehealth", "tzdata"}, needed
        assert f"`{name}`" in notices or name == "telehealth", needed


def test_every_control_of_a_hazard_has_its_test() -> None:
    """A hazard without a test that exists is not controlled."""
    rows = [
        line for line in (ROOT / "docs/safety/hazards.md").read_text("utf-8").splitlines() if line.startswith("| H")
    ]
    assert rows
    for row in rows:
        named = re.findall(r"`(tests/[^`]+)::(test_\w+)`", row)
        assert named, row
        for path, function in named:
            source = (ROOT / path).read_text("utf-8")
            assert re.search(rf"^(async )?def {function}\(", source, re.MULTILINE), f"{path} has no {function}"


def test_architecture_is_short() -> None:
    """Under 200 lines, so that it is read."""
    assert len((ROOT / "ARCHITECTURE.md").read_text("utf-8").splitlines()) < 200


def _code(document: Path) -> Iterator[str]:
    """Lines of the examples, those that go on joined, and what stands in backquotes."""
    text = document.read_text("utf-8")
    for block in re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL):
        yield from block.replace("\\\n", " ").splitlines()
    for code in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        yield code.replace("\n", " ")


def _unknown(line: str) -> Iterator[str]:
    for name, rest in COMMAND.findall(line):
        words = re.split(r"\s#|\s[|>&;]{1,2}(?:\s|$)", rest)[0].replace("[", " ").replace("]", " ").split()
        command = COMMANDS[name]
        while words and (below := getattr(command, "commands", None)) is not None:
            chosen = words.pop(0).strip(",.").split("|")
            if chosen == ["telehealth"]:  # after a variable: the command itself
                continue
            if missing := [one for one in chosen if one not in below]:
                yield f"{name} {missing[0]}"
                break
            command = below[chosen[0]]
        else:
            known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
            given = [one for word in words for one in word.split("|") if one.startswith("--")]
            for option in given:
                plain = option.partition("=")[0].strip(",.")
                if plain not in known:
                    yield f"{name} {command.name} {plain}"
