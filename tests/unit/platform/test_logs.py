"""What is logged of an error is its kind and its places: its text may hold what a resident measured or sent."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from telehealth import log

ROOT = Path(__file__).parents[3]
_WORD = "unsayable"

#: Fails in every way in which an error may come to be logged: by us, by a library, by the event loop.
_FAILING = f"""
import asyncio, logging
from telehealth import log

def fail(word):
    raise ValueError(word)

async def run(word):
    try:
        fail(word)
    except ValueError:
        log.get("part").warning("ours", exc_info=True)
        logging.getLogger("library").exception("theirs")
    asyncio.get_running_loop().call_soon(fail, word)
    await asyncio.sleep(0)
    task = asyncio.get_running_loop().create_task(asyncio.sleep(0))
    task.add_done_callback(fail)
    await task
    lost = asyncio.get_running_loop().create_future()
    lost.set_exception(ValueError(word))
    del lost

log.configure("info", pretty=PRETTY)
asyncio.run(run("{_WORD}"))
"""


def _logged(*, pretty: bool) -> str:
    source = _FAILING.replace("PRETTY", str(pretty))
    return subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60
    ).stderr


def test_no_text_of_an_error_is_logged() -> None:
    """Whoever logs it; its kind and where it was raised are."""
    lines = [json.loads(line) for line in _logged(pretty=False).splitlines()]
    assert _WORD not in str(lines)
    assert [(line["event"], line["error"]) for line in lines] == [
        ("ours", "ValueError"),
        ("theirs", "ValueError"),
        *[("an error that nobody handled", "ValueError")] * 3,
    ]
    assert lines[0]["where"][-1].endswith(" fail")


def test_neither_on_a_terminal() -> None:
    shown = _logged(pretty=True)
    assert _WORD not in shown
    assert "ValueError" in shown


def _fail_in_a_group() -> None:
    try:
        raise ValueError(_WORD)
    except ValueError as error:
        raise ExceptionGroup(_WORD, [error]) from None


def test_the_places_of_an_error() -> None:
    """Those of the first of a group, too."""
    with pytest.raises(ExceptionGroup) as group:
        _fail_in_a_group()
    places = log.where(group.value)
    assert [place.partition(" ")[2] for place in places] == ["test_the_places_of_an_error"] + ["_fail_in_a_group"] * 2
    assert _WORD not in str(places)


@pytest.mark.parametrize("package", ["telehealth", "devices", "alerts"])
def test_no_module_logs_an_error_whole(package: str) -> None:
    """Neither `.exception(...)` nor `exc_info=...`: `error=type(error).__name__, where=log.where(error)`."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and (
            any(keyword.arg == "exc_info" for keyword in node.keywords)
            or (
                isinstance(node.func, ast.Attribute)
                and node.func.attr == "exception"
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in ("log", "_log", "logger", "logging")
            )
        )
    ]
    assert found == []
